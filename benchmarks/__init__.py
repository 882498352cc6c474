"""What an answer of this service costs (`make bench`), and what one database takes (`python -m benchmarks.scaling`)."""
