"""What is added to a model's scores when items are ranked."""
