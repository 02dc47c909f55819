"""Views, one module a resource: a declaration and a few lines each.

May import services, schemas and backend.endpoint.
"""
