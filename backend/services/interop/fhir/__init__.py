"""Answers as HL7 FHIR R4.

Imported when the first is asked for: `fhir.resources` takes long to import.
"""
