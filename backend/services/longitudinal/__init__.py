"""One patient's studies beside each other: what changed, and what of it repeated pictures show as well.

May import services.records, services.rendering, services.reports.kept_answer, services.scans, services.diagnosis,
storage and schemas; no view.
"""
