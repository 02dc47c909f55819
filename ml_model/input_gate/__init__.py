"""What is looked at before a picture is answered: quality, kind of picture, field of view.

May import errors, tasks, inputs and inference of ml_model.
"""
