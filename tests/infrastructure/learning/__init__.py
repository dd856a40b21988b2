"""Tests of `infrastructure/learning`."""
