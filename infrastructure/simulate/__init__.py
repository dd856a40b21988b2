"""The loopback server behind `simulate`: both wire protocols, faults on demand, counted calls."""
