"""The function monitor: compares outcomes with predictions, and new cases with those of the training."""
