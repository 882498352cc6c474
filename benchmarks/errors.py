"""What can go wrong, told in one line."""


class BenchmarkError(Exception):
    """The benchmark can't be run; the message says why."""
