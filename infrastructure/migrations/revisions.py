"""The schema's revisions by name, so that a store can tell its own from an older and a newer one without Alembic."""

REVISIONS = ("0001_event_log",)  # oldest first; each is versions/NAME.py with one .sql file a dialect
NEWEST = REVISIONS[-1]
