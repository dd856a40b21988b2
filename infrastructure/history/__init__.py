"""History in a folder: the log as Parquet files, a day a partition, and the questions that are put to it."""
