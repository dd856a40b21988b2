"""Read models in a database: their tables, how they catch up with the log, and how they are built anew."""
