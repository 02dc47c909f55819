"""Many files at once: taken in, answered by whoever is free, told of and exported.

May import services.records.keeping, services.diagnosis, storage and schemas; no view. Imported when records are opened.
"""
