"""The training loops, their optimiser and callbacks, cross-validation.

May import augmentation, data, models and evaluation of ml_model.training.
"""
