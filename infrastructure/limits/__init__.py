"""Rate limits and breakers: in memory, in a SQLite file beside the log, and on PostgreSQL."""
