"""Data sets as users download them: readers, splits by group, labels, sampling, batches.

May import the decoders and ml_model.training.augmentation.
"""
