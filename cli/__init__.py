"""The command line: parse, compose, one call, render."""
