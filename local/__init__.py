"""The stack on one machine: PostgreSQL and an object store as child processes, for `make run` and the tests."""
