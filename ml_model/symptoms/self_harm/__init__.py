"""Thoughts of dying and of self-harm, read apart from everything else.

May import the reading of ml_model.symptoms.
"""
