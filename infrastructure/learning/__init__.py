"""Training: numpy, scipy and scikit-learn, imported when something is trained and never to serve it."""
