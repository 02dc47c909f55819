"""The heart-risk model: its data, fit, evaluation and bundle.

May import ml_model.tabular and ml_model.training.
"""
