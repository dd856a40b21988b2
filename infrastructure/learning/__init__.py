"""Training: numpy and scipy, imported when something is trained and never to serve it."""
