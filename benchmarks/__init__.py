"""Measures the cost of an answer (`make bench`), and the load that a database takes (`-m benchmarks.scaling`)."""
