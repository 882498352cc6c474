"""What the commands share: their options, and the function that they ask."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated

import typer

from records.errors import RecordsError
from stacks.choice import Env, Local, open_choice
from stacks.errors import STACK_ERRORS
from stacks.functions import Function, connect_function
from training.options import report_errors

__all__ = ["Env", "Local", "Reason", "Subject", "connected"]

Subject = Annotated[
    str | None, typer.Option(metavar="TEXT", help="The subject, as the caller named it.", show_default=False)
]
Reason = Annotated[
    str, typer.Option(metavar="TEXT", help="Why; it is kept, so it must not say about whom.", show_default=False)
]


@contextmanager
def connected(env: str | None, local: bool) -> Iterator[Function]:
    """Yield what sends events to the function; what a person can mend is one line on stderr and exit code 1."""
    try:
        with report_errors(RecordsError, *STACK_ERRORS):
            yield connect_function("maintain", open_choice(env, local))
    except (KeyboardInterrupt, typer.Abort) as error:
        typer.echo("Stopped. An erasure that was begun stays open, and goes on with the next daily run", err=True)
        raise typer.Exit(130) from error
