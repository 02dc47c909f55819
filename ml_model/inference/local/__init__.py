"""What a site has settled for itself beside a bundle: operating points of findings, in a file of its own.

May import ml_model.errors, ml_model.tasks and ml_model.inference; changes no bundle.
"""
