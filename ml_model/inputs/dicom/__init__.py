"""DICOM files: what the header says, and pixels of every transfer syntax that is read.

May import ml_model.errors, ml_model.tasks and ml_model.inputs.
"""
