"""How a model is trained: the loop, its step, and what is saved to go on later."""
