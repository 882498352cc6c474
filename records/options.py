"""What the commands share: their options, and the function that they ask."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Annotated, Any

import typer

from deploy.errors import DeployError
from local.errors import StackError
from records.errors import RecordsError
from records.functions import connect
from training.options import one_of, report_errors

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
Subject = Annotated[
    str | None, typer.Option(metavar="TEXT", help="The subject, as the caller named it.", show_default=False)
]
Reason = Annotated[
    str, typer.Option(metavar="TEXT", help="Why; it is kept, so it must not say about whom.", show_default=False)
]


@contextmanager
def connected(env: str | None, local: bool) -> Iterator[Callable[[Mapping[str, Any]], dict[str, Any]]]:
    """Yield what sends events to the function; what a person can mend is one line on stderr and exit code 1."""
    try:
        with report_errors(RecordsError, DeployError, StackError):
            yield connect(env, local)
    except (KeyboardInterrupt, typer.Abort) as error:
        typer.echo("Stopped. An erasure that was begun stays open, and goes on with the next daily run", err=True)
        raise typer.Exit(130) from error
