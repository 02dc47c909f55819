"""The service: a Flask application over ml_model.

May import ml_model, never its training; nothing imports backend.
"""
