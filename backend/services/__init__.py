"""What stands behind the views: a case diagnosed, a form assessed.

May import its rooms, schemas and ml_model; no view.
"""
