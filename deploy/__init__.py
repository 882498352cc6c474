"""Brings an environment to AWS, step by step: image, Terraform, schema, first model, smoke test."""
