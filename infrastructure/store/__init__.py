"""Event stores: SQLite, PostgreSQL and memory behind one port."""
