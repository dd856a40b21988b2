"""The database schema, one SQL file a revision and dialect."""
