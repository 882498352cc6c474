"""The commands about legal holds: `python -m records hold add|list|remove`."""

from typing import Annotated

import typer

from records.errors import RecordsError
from records.options import Env, Local, Reason, Subject, connected
from records.report import describe_hold
from training.options import make_app

app = make_app("Legal holds: what must be kept, however old it is and whoever asks for its erasure.")

Number = Annotated[
    int, typer.Argument(metavar="NUMBER", min=1, help="The hold, as `list` shows it.", show_default=False)
]


@app.command("add")
def add_hold(
    reason: Reason,
    subject: Subject = None,
    caller: Annotated[
        str | None, typer.Option(metavar="ARN", help="The caller, as in the column.", show_default=False)
    ] = None,
    first_day: Annotated[
        str | None, typer.Option("--from", metavar="DAY", help="The first day in UTC, 2026-01-31.", show_default=False)
    ] = None,
    last_day: Annotated[
        str | None, typer.Option("--to", metavar="DAY", help="The last day in UTC.", show_default=False)
    ] = None,
    env: Env = None,
    local: Local = False,
) -> None:
    """Keep the records of a subject, of a caller, or of a period."""
    with connected(env, local) as maintain:
        if (first_day is None) != (last_day is None):
            raise RecordsError("a period has both --from and --to")
        if sum(given is not None for given in (subject, caller, first_day)) != 1:
            raise RecordsError("pass one of --subject, --caller, or --from with --to")
        scope = {"subject": subject, "caller": caller, "starts": first_day, "ends": last_day}
        answer = maintain({"task": "hold_add", "reason": reason, **scope})
        typer.echo(f"Hold {answer['hold']} is in force")
        if answer["open_erasures"]:
            numbers = ", ".join(map(str, answer["open_erasures"]))
            typer.echo(f"Open erasures, which may have taken some of it before: {numbers}")


@app.command("list")
def list_holds(env: Env = None, local: Local = False) -> None:
    """Show all holds, also those that were removed."""
    with connected(env, local) as maintain:
        for found in maintain({"task": "hold_list"})["holds"]:
            typer.echo(describe_hold(found))


@app.command("remove")
def remove_hold(number: Number, env: Env = None, local: Local = False) -> None:
    """End a hold; it stays in the list, as evidence."""
    with connected(env, local) as maintain:
        maintain({"task": "hold_remove", "hold": number})
        typer.echo(f"Hold {number} is removed; what waited for it is erased with the next daily run")
