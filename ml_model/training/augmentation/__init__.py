"""Changed pictures, pages and signals: random ones to train on, fixed ones to measure with.

May import what decodes and draws; no model.
"""
