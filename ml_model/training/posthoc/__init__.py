"""What is settled on validation once the weights are: calibration, thresholds, sets, limits.

May import ml_model.training.evaluation; never reads the test split.
"""
