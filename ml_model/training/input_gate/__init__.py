"""The input gate's model: its data, fit and report.

May import ml_model.input_gate and ml_model.training.
"""
