"""A user's own Keras file, converted once in a process of its own.

Alone keras_converter, which is that process, may import ml_model.training.
"""
