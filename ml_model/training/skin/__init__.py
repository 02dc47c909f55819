"""Skin as dermatoscopes and cameras see it: its tone, simulated photographs, and the rule that tells these apart.

May import what decodes, draws, answers and counts; no training of networks.
"""
