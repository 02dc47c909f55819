"""The service's abilities as tools for assistants (Model Context Protocol): `python -m backend.mcp`.

A process of its own, which calls the service over HTTP with the rights of whoever calls the tools. May import
backend.config, schemas, settings and services.rendering.messages; no view, no other service.
"""
