"""The benchmark's errors, each with a text of one line."""


class BenchmarkError(Exception):
    """The benchmark can't be run; the message says why."""
