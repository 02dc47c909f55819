"""One module a step.

May import sqlalchemy and alembic.
"""
