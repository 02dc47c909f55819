"""The symptom model: its data, fit and bundle.

May import ml_model.tabular and ml_model.training.
"""
