"""The embedded HTTP server: one thread receives and sends, a few others run the application.

May import backend.app, config, endpoint, errors and storage.spooled; only backend/server.py imports it, but for
`addresses` and `wsgi_call`.
"""
