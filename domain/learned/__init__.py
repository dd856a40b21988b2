"""What was learned from recorded outcomes, served in plain Python: floats in a fixed order, no clock, no I/O."""
