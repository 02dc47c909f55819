"""What a user runs to train and to measure: the command lines, and what they have in common.

May import every room, the heavy libraries once the options are read; the recipes, audit and replay import it.
"""
