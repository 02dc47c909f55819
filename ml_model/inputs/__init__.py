"""The only decoders: what kind a file is, JSON bodies, values for the models on tables.

May import ml_model.errors and ml_model.tasks.
"""
