"""How well a model ranks the held-out events."""
