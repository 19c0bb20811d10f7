"""What the runs of a study show: tables, frontiers, significance and verdicts."""
