"""From a case to what is said of it: one pipeline, decision, population, prediction set, abstention.

May import every room of ml_model but user_models and training.
"""
