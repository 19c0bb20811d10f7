"""Ours and other libraries' SASRec side by side; each runner is a script for an interpreter of its own."""
