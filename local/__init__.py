"""The stack on one machine: PostgreSQL, S3 and SQS as child processes, for `make run` and the tests."""
