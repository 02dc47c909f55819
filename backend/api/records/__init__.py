"""Views of what is kept: accounts, uploads, predictions, history. Under /api/v1, and under /api for older clients.

May import services, schemas, backend.endpoint and backend.api.records.identity.
"""
