"""What is kept of answers, in memory and bounded.

May import schemas; no view, no model.
"""
