"""Tests of `domain/learned`."""
