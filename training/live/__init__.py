"""Looks from training at what is served: outcomes, the report of the monitor, and new intervals."""
