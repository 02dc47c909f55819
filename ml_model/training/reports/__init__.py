"""Model cards, their sections and plots, from manifests.

May import manifests and markdown; computes no figure.
"""
