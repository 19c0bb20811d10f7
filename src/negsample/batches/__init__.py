"""Which users and positions a training step sees."""
