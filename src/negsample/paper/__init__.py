"""What one paper published: its settings and figures, and a study that repeats it."""
