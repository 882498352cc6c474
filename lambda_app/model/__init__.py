"""The model: its bundle in S3, its two runtimes, and the current model."""
