"""What is kept: the database of records, its migrations, and the folder of files.

May import backend.config and backend.errors; no view, no model, nothing of Flask. Importing SQLAlchemy takes longer
than anything else of the service, so `backend.services.records` imports this room when the first record is asked for.
"""
