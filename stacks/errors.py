"""The errors of reaching a stack; each text is one line that a person can act on."""


class ReachError(Exception):
    """A function or the API can't be reached, or can't do what was asked."""


class LostError(ReachError):
    """The function runs, or ran out of time; what it has done is kept, and the same call goes on with it."""
