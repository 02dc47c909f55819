"""Keras graphs: backbones, heads, losses, and their export as ONNX.

May import Keras, the recipe, and labels and figures of ml_model.training; reads no file of a data set.
"""
