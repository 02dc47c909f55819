"""Steps from each form of the tables to the next, up and down, for Alembic.

May import sqlalchemy and alembic; not backend.storage.tables, which is of today.
"""
