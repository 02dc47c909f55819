"""From the picture of an ECG page back to the signal of each lead.

May import errors, tasks, inputs and ml_model.ecg.
"""
