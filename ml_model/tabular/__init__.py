"""The models that read no picture: symptoms and heart risk.

May import errors, tasks, inputs and inference of ml_model.
"""
