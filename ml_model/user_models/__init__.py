"""A user's own Keras file, converted once in a process of its own.

May import what reads bundles and tasks; keras_converter, which is that process, ml_model.training too.
"""
