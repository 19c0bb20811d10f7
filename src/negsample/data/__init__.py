"""The data room: from a log of (who, what, when) to flat, memory-mapped sequences."""
