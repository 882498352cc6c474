"""The options of several commands, and the function that they ask."""

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Annotated, Any

import typer

from records.errors import RecordsError
from stacks.choice import Env, Local, open_choice
from stacks.errors import STACK_ERRORS, LostError, ReachError
from stacks.functions import Function, connect_function
from training.options import report_errors

__all__ = ["Env", "Local", "Reason", "Subject", "connected"]

Subject = Annotated[
    str | None, typer.Option(metavar="TEXT", help="The subject, as the caller named it.", show_default=False)
]
Reason = Annotated[
    str, typer.Option(metavar="TEXT", help="Why; it is kept, so it must not say about whom.", show_default=False)
]

# What the function says of its parameters, and how they are called here.
_MUST = re.compile(r"\w+ must ")
_OPTIONS = {
    "starts": "--from",
    "ends": "--to",
    **{name: f"--{name.replace('_', '-')}" for name in ("subject", "caller", "request_id", "reason")},
}


@contextmanager
def connected(env: str | None, local: bool) -> Iterator[Function]:
    """Yield what sends events to the function; what a person can mend is one line on stderr and exit code 1."""
    try:
        with report_errors(RecordsError, *STACK_ERRORS):
            maintain = connect_function("maintain", open_choice(env, local))

            def ask(event: Mapping[str, Any]) -> dict[str, Any]:
                try:
                    return maintain(event)
                except LostError:
                    raise
                except ReachError as error:
                    raise RecordsError(_name_options(str(error))) from error

            yield ask
    except (KeyboardInterrupt, typer.Abort) as error:
        typer.echo("Stopped. An erasure that was begun stays open, and goes on with the next daily run", err=True)
        raise typer.Exit(130) from error


def _name_options(told: str) -> str:
    """Return a text of the function about its parameters with the options that they come from."""
    return re.sub(r"\b(\w+)\b", lambda word: _OPTIONS.get(word[0], word[0]), told) if _MUST.match(told) else told
