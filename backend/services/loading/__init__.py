"""Bundles and users' own models, found, checked and made ready.

May import config, schemas and ml_model; no rendering.
"""
