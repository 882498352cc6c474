"""The table of the service. Another data set changes only this package: see docs/adapting.md."""
