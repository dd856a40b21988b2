"""Tests of `domain/strategies`."""
