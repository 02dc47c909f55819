"""Answers in the forms of a clinic's other systems."""
