"""Policies judged on recorded outcomes, without a call: the same domain code that live runs use."""
