"""Processes of their own, under limits, in which files of strangers are read: a decoder that hangs, swallows memory or
breaks takes none of the service with it.

May import ml_model.errors. What is done in the processes is named as a module, and imported there.
"""
