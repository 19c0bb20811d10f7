"""Pages of the documentation that are made, and figures on pages that are checked."""
