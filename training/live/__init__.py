"""What is served, seen from training: outcomes, the report of the monitor, and new intervals."""
