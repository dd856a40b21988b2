"""The schema's revisions by name, so that a store can tell its own from an older and a newer one without Alembic."""

# Oldest first; each is versions/NAME.py with one .sql file a dialect.
REVISIONS = ("0001_event_log", "0002_limits", "0003_content_keys", "0004_datasets", "0005_append_faster")
NEWEST = REVISIONS[-1]
