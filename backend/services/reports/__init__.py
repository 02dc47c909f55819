"""A kept answer as a report to print: what it says, and how that is laid out on pages (PDF).

May import schemas, services.records and services.rendering; no view. ReportLab is imported when the first report is
asked for.
"""
