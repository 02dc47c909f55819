"""What is settled on validation once the weights are: calibration, thresholds, sets, limits.

May import data, models and evaluation of ml_model.training; never reads the test split.
"""
