"""Slow, obvious implementations of what FIELD's names mean. They import nothing of negsample, and never will."""
