"""Facts and rules: standard library only, no clock, I/O, randomness or await."""
