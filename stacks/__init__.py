"""Reaches what runs: a function, the API or the models of an environment on AWS, or of the local stack."""
