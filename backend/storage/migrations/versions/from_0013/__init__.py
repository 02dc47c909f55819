"""The steps after the first twelve, one module each.

May import sqlalchemy and alembic.
"""
