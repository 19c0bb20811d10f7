"""How a model is trained: the loop, its step, and the checkpoints to resume from."""
