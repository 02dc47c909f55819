"""What is asked and answered about files of any kind.

May import schemas and ml_model; no service.
"""
