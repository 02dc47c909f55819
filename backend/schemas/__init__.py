"""What is asked and answered over HTTP, as pydantic models.

May import the names of ml_model.tasks; no service.
"""
