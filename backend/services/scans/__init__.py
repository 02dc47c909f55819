"""Files of any kind: which task reads each is found out, and the answers of the last ones are remembered.

May import services.diagnosis, services.rendering, services.loading, services.records.store, storage and
schemas; no view.
"""
