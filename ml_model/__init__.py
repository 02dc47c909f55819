"""Everything about models: what a user runs, and rooms from tasks to training; no HTTP in it.

Never imports backend.
"""
