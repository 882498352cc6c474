"""The functions beside the service: each is copied to where it runs and imports nothing of this project."""
