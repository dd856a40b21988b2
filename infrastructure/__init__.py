"""Adapters of the ports, settings and the composition root."""
