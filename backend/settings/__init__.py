"""How one setting is read from the environment that it is handed; `backend.config` has them all.

May import ml_model.errors.
"""
