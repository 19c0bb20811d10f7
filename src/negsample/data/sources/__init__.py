"""Public datasets: where their official files are, how they come here, and how they become logs."""
