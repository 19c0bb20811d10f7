"""How the rows of a log become the arrays of a prepared dataset."""
