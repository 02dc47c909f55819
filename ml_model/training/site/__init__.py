"""A site's own cases: read, answered as the service answers, measured, and told on a page.

May import data, evaluation, posthoc and reports of ml_model.training, and the rooms that serve; trains nothing.
"""
