"""Requests to AWS over plain HTTP, because boto3 would take half of a cold start."""
