"""negsample."""
