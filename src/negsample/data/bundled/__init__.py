"""Datasets that travel with the package; each has its terms beside it."""
