"""`python -m backend.dicomweb`: pictures of an archive are answered, and the results stored beside them.

A process of its own; imports the service, which imports nothing of it. What is of a patient comes into no log line:
rows of the ledger are told by their number.
"""
