"""Read models: folds of the log that can always be rebuilt."""
