"""Measures the cost of an answer (`make bench`), and the load that PostgreSQL takes (`python -m benchmarks.scaling`)."""
