"""DICOM files: what the header says, and pixels of every transfer syntax that is read.

May import ml_model.errors, ml_model.tasks, ml_model.inputs and ml_model.sandbox.worker.
"""
