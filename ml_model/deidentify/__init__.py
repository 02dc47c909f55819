"""Copies of files that may be kept: without what names a person, a place or a machine, and with every pixel.

May import ml_model.errors, ml_model.tasks and ml_model.inputs.
"""
