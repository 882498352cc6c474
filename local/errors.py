"""The errors of the local stack, each with a text of one line."""


class StackError(Exception):
    """The local stack can't run; the message is one line that says why and what to do."""


class FunctionError(Exception):
    """A function in a container has failed or can't be asked; the message names no more than the kind of fault."""
