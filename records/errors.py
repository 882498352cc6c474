"""The error of the command line."""


class RecordsError(Exception):
    """A task can't be done; the message is one line that a person can act on."""
