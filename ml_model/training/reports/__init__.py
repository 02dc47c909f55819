"""Model cards, their sections and plots, from manifests.

Computes no figure.
"""
