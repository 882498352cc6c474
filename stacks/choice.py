"""The options `--env` and `--local`, and the environment or the local stack that they name."""

import contextlib
import sys
from typing import Annotated

import typer

from deploy.environment import Environment, open_environment
from local.errors import StackError
from local.functions import NOT_UP, is_up
from stacks.errors import ReachError
from training.options import one_of

Env = Annotated[
    str | None,
    typer.Option(
        parser=one_of("dev", "staging", "prod"),
        metavar="dev|staging|prod",
        help="The environment on AWS.",
        show_default="the local stack, if it is up",
    ),
]
Local = Annotated[bool, typer.Option("--local", help="The stack of `make run`.")]


def open_choice(env: str | None, local: bool) -> Environment | None:
    """Return the environment, or None for the local stack, which is up; raises ReachError, DeployError, StackError."""
    if env and local:
        raise ReachError("--env and --local exclude each other")
    if env:
        # What it says is no part of the output.
        with contextlib.redirect_stdout(sys.stderr):
            return open_environment(env)
    if not is_up():
        if local:
            raise StackError(NOT_UP)
        raise ReachError("which stack? Name an environment by --env, or start the local stack by `make run`")
    return None
