"""Figures: metrics with intervals, calibration error, robustness, saliency faithfulness.

May import the pipeline that serves; chooses nothing.
"""
