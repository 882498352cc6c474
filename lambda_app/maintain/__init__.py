"""The function maintain: partitions, export, expiry, erasure and holds of records."""
