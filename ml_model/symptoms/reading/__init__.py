"""How a description of symptoms is read: words, clauses, phrases, negation, time, persons and figures.

May import errors and the vocabulary of ml_model.symptoms.
"""
