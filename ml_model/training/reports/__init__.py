"""Model cards, their sections and plots, from manifests.

May import what the figures are made of (evaluation, diagnosis); computes no figure.
"""
