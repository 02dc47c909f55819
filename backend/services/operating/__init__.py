"""What an operator does to accounts.

May import schemas, storage and services.records; no view.
"""
