"""Readers of the file formats in which recordings are sent: each gives leads in millivolts.

May import errors, tasks, inputs and ml_model.ecg.
"""
