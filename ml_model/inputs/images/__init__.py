"""Pictures and PDF pages to upright 8-bit RGB at the size and the levels that a task declares.

May import ml_model.errors, ml_model.tasks and ml_model.inputs.
"""
