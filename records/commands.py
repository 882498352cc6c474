"""The commands: `python -m records erase|show|status|hold|run|export-again`."""

import json
import sys
import time
from collections.abc import Mapping
from typing import Annotated, Any

import typer

from records import holds
from records.errors import RecordsError
from records.options import Env, Local, Reason, Subject, connected
from records.report import describe_erasure, describe_run, describe_status
from stacks.errors import LostError
from stacks.functions import Function
from training.options import make_app

# Between two calls for an erasure that is not complete.
PAUSE_SECONDS = 5.0
AGAIN = "Asking again every {:g} s; after Ctrl-C it stays open, and the daily run goes on with it"
# What every page of `show` has; the last page has more.
OF_A_PAGE = ("records", "outcomes", "idempotency_keys", "holds")
# Not everything is erased, because a hold keeps the rest.
HELD = 3

app = make_app(
    "Look after the records of predictions: erasure, access requests, legal holds, their state.",
    "With --env the AWS credentials, for example those of AWS_PROFILE, must be of the environment's account.",
)
app.add_typer(holds.app, name="hold")


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

    Records of a subject that are made later are not meant. The exit code is 0 when all is erased, or nothing was found,
    and 3 when a hold keeps a part; that part goes with the first daily run after the hold.
    """
    with connected(env, local) as maintain:
        if (subject is None) == (request_id is None):
            raise RecordsError("pass either --subject or --request-id")
        what = f"of subject {subject!r}" if subject is not None else f"of request {request_id}"
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
    with connected(env, local) as maintain:
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
    with connected(env, local) as maintain:
        _say(describe_status(maintain({"task": "status"})))


@app.command()
def run(env: Env = None, local: Local = False) -> None:
    """Do the daily work now: erasures that are open, partitions, links of outcomes, export, expiry."""
    with connected(env, local) as maintain:
        _say(describe_run(maintain({"task": "daily"})))


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
    with connected(env, local) as maintain:
        table = "outcomes" if outcomes else "predictions"
        answer = maintain({"task": "export_again", "table": table, "day": day})
        _say(
            f"Exported {answer['rows']:,} rows of {table} of {day}, in place of {answer['replaced_rows']:,} "
            f"in {answer['replaced_files']:,} files"
        )


def _erase(maintain: Function, event: Mapping[str, Any]) -> dict[str, Any]:
    """Ask again until the erasure is complete, or waits for a hold."""
    told_before = ""
    while True:
        try:
            answer = maintain(event)
        except LostError as error:
            told = str(error)
        else:
            if answer.get("waits_for") in {None, "holds"}:
                return answer
            told = describe_erasure(answer)
            if "erasure" in answer:
                # The same erasure, and not what was recorded since.
                event = {"task": "erase", "erasure": answer["erasure"]}
        if told != told_before:
            _say(told, to_error=True)
        if not told_before:
            _say(AGAIN.format(PAUSE_SECONDS), to_error=True)
        told_before = told
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
