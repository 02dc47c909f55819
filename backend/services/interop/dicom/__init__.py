"""Answers as DICOM objects, in the study of what was answered.

Imported when the first is asked for: `highdicom` takes long to import.
"""
