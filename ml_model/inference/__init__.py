"""A trained bundle on disk and in memory: manifest, compiled graph, calibration, distance, provenance.

May import ml_model.errors and ml_model.tasks.
"""
