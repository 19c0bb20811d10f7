"""What is trained for a study or a search, what it will need, and what is left to do."""
