"""What was learned from recorded outcomes, applied in plain Python: fixed order, no training here."""
