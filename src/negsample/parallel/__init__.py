"""Several processes of one training: who they are, what they exchange, and which rows of a table each one holds."""
