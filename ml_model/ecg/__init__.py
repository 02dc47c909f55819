"""Electrocardiograms: recordings, their quality, pages drawn and pages read.

May import errors, tasks, inputs and inference of ml_model.
"""
