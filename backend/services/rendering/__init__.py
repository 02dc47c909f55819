"""From values of ml_model to the shapes that are sent: answers, heatmaps, cards.

May import schemas, services.loading and ml_model; decides nothing.
"""
