"""The command line: `python -m records erase|show|status|hold|run|export-again`."""

import json
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Annotated, Any

import typer

from deploy.errors import DeployError
from local.errors import StackError
from records.errors import LostError, RecordsError
from records.functions import Maintain, connect
from records.report import describe_erasure, describe_hold, describe_status
from training.options import make_app, one_of, report_errors

# Between two calls for an erasure that is not complete.
PAUSE_SECONDS = 5.0
# What every page of `show` has; the last page has more.
OF_A_PAGE = ("records", "outcomes", "idempotency_keys", "holds")
# Not everything is erased, because a hold keeps the rest.
HELD = 3

app = make_app(
    "Look after the records of predictions: erasure, access requests, legal holds, their state.",
    "With --env the AWS credentials, for example those of AWS_PROFILE, must be of the environment's account.",
)
hold = make_app("Legal holds: what must be kept, however old it is and whoever asks for its erasure.")
app.add_typer(hold, name="hold")

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
Number = Annotated[int, typer.Argument(metavar="NUMBER", help="The hold, as `list` shows it.", show_default=False)]


@app.command()
def erase(
    reason: Reason,
    subject: Subject = None,
    request_id: Annotated[
        str | None,
        typer.Option(metavar="UUID", help="The id of a request, a batch, or one of its records.", show_default=False),
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Don't ask, for machines.")] = False,
    env: Env = None,
    local: Local = False,
) -> None:
    """Erase all records of a subject, or of a request, for good.

    Records of a subject that are made later are not meant. The exit code is 0 when all is erased, and 3 when a hold
    keeps a part; that part goes with the first daily run after the hold.
    """
    with _connected(env, local) as maintain:
        if (subject is None) == (request_id is None):
            raise RecordsError("pass either --subject or --request-id")
        what = "of this subject" if subject is not None else f"of {request_id}"
        _ask(f"Erase all records {what} from {env or 'the local stack'}, for good?", env or "yes", yes)
        answer = _erase(maintain, {"task": "erase", "subject": subject, "request_id": request_id, "reason": reason})
        _say(describe_erasure(answer))
    if "waits_for" in answer:
        raise typer.Exit(HELD)


@app.command()
def show(
    subject: Annotated[
        str, typer.Option(metavar="TEXT", help="The subject, as the caller named it.", show_default=False)
    ],
    env: Env = None,
    local: Local = False,
) -> None:
    """Show everything that is held about a subject, as JSON."""
    with _connected(env, local) as maintain:
        event: dict[str, Any] = {"task": "show", "subject": subject}
        page = maintain(event)
        document: dict[str, Any] = {"subject": subject, **{name: [] for name in OF_A_PAGE}}
        while True:
            for name in ("records", "outcomes"):
                document[name] += page[name]
            for name in ("idempotency_keys", "holds"):
                # The key of a batch, or a hold, may come with several pages.
                document[name] += [one for one in page[name] if one not in document[name]]
            if "next" not in page:
                break
            page = maintain({**event, "after": page["next"]})
        rest = ("messages", "unreadable_messages", "open_erasures")
        _say(json.dumps({**document, **{name: page[name] for name in rest}}, indent=2, ensure_ascii=False))


@app.command()
def status(env: Env = None, local: Local = False) -> None:
    """Show rows, partitions, exports, holds, open erasures, and until when the disk lasts."""
    with _connected(env, local) as maintain:
        _say(describe_status(maintain({"task": "status"})))


@app.command()
def run(env: Env = None, local: Local = False) -> None:
    """Do the daily work now: erasures that are open, partitions, links of outcomes, export, expiry."""
    with _connected(env, local) as maintain:
        _say(json.dumps(maintain({"task": "daily"}), indent=2))


@app.command("export-again")
def export_again(
    day: Annotated[str, typer.Argument(metavar="DAY", help="The day in UTC, 2026-01-31.", show_default=False)],
    outcomes: Annotated[bool, typer.Option("--outcomes", help="Of the outcomes instead of the predictions.")] = False,
    env: Env = None,
    local: Local = False,
) -> None:
    """Replace the export of a day that differs from the table.

    First find out why it differs. The files it replaces stay as old versions, as long as the bucket keeps those.
    """
    with _connected(env, local) as maintain:
        table = "outcomes" if outcomes else "predictions"
        answer = maintain({"task": "export_again", "table": table, "day": day})
        _say(
            f"Exported {answer['rows']:,} rows of {table} of {day}, in place of {answer['replaced_rows']:,} "
            f"in {answer['replaced_files']:,} files"
        )


@hold.command("add")
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
    with _connected(env, local) as maintain:
        if (first_day is None) != (last_day is None):
            raise RecordsError("a period has both --from and --to")
        if sum(given is not None for given in (subject, caller, first_day)) != 1:
            raise RecordsError("pass one of --subject, --caller, or --from with --to")
        scope = {"subject": subject, "caller": caller, "starts": first_day, "ends": last_day}
        answer = maintain({"task": "hold_add", "reason": reason, **scope})
        _say(f"Hold {answer['hold']} is in force")
        if answer["open_erasures"]:
            numbers = ", ".join(map(str, answer["open_erasures"]))
            _say(f"Open erasures, which may have taken some of it before: {numbers}")


@hold.command("list")
def list_holds(env: Env = None, local: Local = False) -> None:
    """Show all holds, also those that were removed."""
    with _connected(env, local) as maintain:
        for found in maintain({"task": "hold_list"})["holds"]:
            _say(describe_hold(found))


@hold.command("remove")
def remove_hold(number: Number, env: Env = None, local: Local = False) -> None:
    """End a hold; it stays in the list, as evidence."""
    with _connected(env, local) as maintain:
        maintain({"task": "hold_remove", "hold": number})
        _say(f"Hold {number} is removed; what waited for it is erased with the next daily run")


def _erase(maintain: Maintain, event: Mapping[str, Any]) -> dict[str, Any]:
    """Ask again until the erasure is complete, or waits for a hold."""
    while True:
        try:
            answer = maintain(event)
        except LostError as error:
            told = str(error)
        else:
            if answer.get("waits_for") in {None, "holds"}:
                return answer
            # The same erasure, and not what was recorded since.
            event = {"task": "erase", "erasure": answer["erasure"]}
            told = f"{describe_erasure(answer)}; it waits for {answer['waits_for']}"
        _say(f"{told}. Asking again in {PAUSE_SECONDS:g} s", to_error=True)
        time.sleep(PAUSE_SECONDS)


def _ask(question: str, consent: str, granted: bool) -> None:
    """Go on only when the consent was typed in."""
    if granted:
        return
    if not sys.stdin.isatty():
        raise RecordsError("nobody is here to be asked: pass --yes")
    if typer.prompt(f"{question} Only {consent!r} means yes", default="", show_default=False) != consent:
        raise RecordsError("not confirmed, so nothing was done")


def _say(text: str, *, to_error: bool = False) -> None:
    typer.echo(text, err=to_error)


@contextmanager
def _connected(env: str | None, local: bool) -> Iterator[Callable[[Mapping[str, Any]], dict[str, Any]]]:
    """Yield what sends events to the function; what a person can mend is one line on stderr and exit code 1."""
    try:
        with report_errors(RecordsError, DeployError, StackError):
            yield connect(env, local)
    except (KeyboardInterrupt, typer.Abort) as error:
        typer.echo("Stopped. An erasure that was begun stays open, and goes on with the next daily run", err=True)
        raise typer.Exit(130) from error


if __name__ == "__main__":
    app(prog_name="python -m records")
