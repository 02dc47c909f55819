"""The training loops, their optimiser and callbacks, cross-validation.

May import ml_model.training.data, models and evaluation.
"""
