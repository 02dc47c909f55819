"""Keras graphs: backbones, heads, losses, and their export as ONNX.

May import Keras and ml_model.training.recipe; no data.
"""
