"""What each task is: one TOML file a task, read into frozen, checked values.

Imports ml_model.errors alone.
"""
