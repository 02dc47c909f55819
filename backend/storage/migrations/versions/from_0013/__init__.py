"""Steps of the tables from the thirteenth on, found by their revisions.

May import nothing of ours: a step is what it was when it was taken.
"""
