"""Speed, measured in one run and written down; never a test."""
