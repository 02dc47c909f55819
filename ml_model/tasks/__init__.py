"""What each task is: one TOML file a task, read into frozen, checked values.

May import ml_model.errors alone.
"""
