"""What becomes of answers: how clinicians agree, how far cases are from those of training, a data set to train on.

May import schemas, storage and services.records; no view.
"""
