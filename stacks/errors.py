"""The errors of reaching a stack; each text is one line that a person can act on."""

from deploy.errors import DeployError
from local.errors import StackError


class ReachError(Exception):
    """A function or the API can't be reached, or can't do what was asked."""


class LostError(ReachError):
    """The function runs, or ran out of time; what it has done is kept, and the same call goes on with it."""


class UnansweredError(ReachError):
    """The API gave no answer."""


# All that a command line reports which uses this package.
STACK_ERRORS = (ReachError, DeployError, StackError)
