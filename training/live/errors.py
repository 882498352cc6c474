"""The error of the commands that ask what is served."""

from training.errors import TrainingError


class LiveError(TrainingError):
    """A command can't do its work; the message is one line that a person can act on."""
