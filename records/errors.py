"""The error of the command line."""


class RecordsError(Exception):
    """A task can't be done; the message is one line that a person can act on."""


class LostError(RecordsError):
    """The function runs, or ran out of time; what it has done is kept, and the same call goes on with it."""
