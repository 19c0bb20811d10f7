"""Generated studies: each sentence of their reports is compared with the runs."""
