"""What one training is, from its settings to its folder and back."""
