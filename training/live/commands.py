"""The commands `outcomes import`, `monitor` and `recalibrate`, which ask an environment or the local stack."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from stacks.api import connect_api
from stacks.choice import Env, Local, open_choice
from stacks.errors import STACK_ERRORS
from stacks.functions import connect_function
from stacks.models import connect_models, connect_signing_key
from training import MODELS
from training.access import Key
from training.errors import TrainingError
from training.live.errors import LiveError
from training.live.fetch import fetch_report
from training.live.outcomes import count_rows, import_outcomes
from training.live.report import find_alarms
from training.live.tables import print_report
from training.options import make_app, report_errors
from training.progress import show_progress
from training.rounding import format_figure

# Of the refused rows, so many are told; the file has all.
MOST_TOLD = 20
REPORT = MODELS.parent / "performance.html"

outcomes_app = make_app("What really happened: send it to the service, so that the monitor can compare.")

Token = Annotated[
    str | None, typer.Option(envvar="API_TOKEN", metavar="JWT", help="The token for an API that takes no signatures.")
]


@outcomes_app.command("import")
def import_command(
    file: Annotated[
        Path,
        typer.Argument(
            metavar="FILE",
            help="CSV in UTF-8 with the columns request_id, value and observed_at.",
            show_default=False,
            exists=True,
            dir_okay=False,
        ),
    ],
    env: Env = None,
    local: Local = False,
    token: Token = None,
) -> None:
    """Send the outcomes of a CSV file to the service.

    Stopped or killed, the same command goes on where it ended. Rows that are refused go to FILE's name with
    .rejected.csv, with line and reason, and the others are sent. The exit code is 1 if there are any.
    """
    console = Console(stderr=True)
    with report_errors(TrainingError, *STACK_ERRORS):
        environment = open_choice(env, local)
        post = connect_api(environment, token)
        told: list[int] = []

        def report_refused(line: int, reason: str) -> None:
            told.append(line)
            if len(told) <= MOST_TOLD:
                console.print(f"Line {line} is refused: {reason}", highlight=False, markup=False, soft_wrap=True)

        with show_progress(console, "Sending", "outcome", count_rows(file)) as report_row:
            done = import_outcomes(file, env or "local", post, report_row=report_row, report_refused=report_refused)
        new = sum(done.recorded.values())
        places = " and ".join(f"{count:,} by the {place}" for place, count in done.recorded.items() if count)
        print(f"Sent {new:,} outcomes" + (f", recorded {places}" if places else ""))
        if done.earlier:
            print(f"{done.earlier:,} of {done.rows:,} rows were settled before")
        if done.refused:
            print(f"{done.refused:,} rows are refused: see {done.refused_path}")
    if done.refused:
        raise typer.Exit(1)


def monitor(
    output: Annotated[
        Path, typer.Option(metavar="FILE", help="Where the page with the plots goes.", dir_okay=False)
    ] = REPORT,
    env: Env = None,
    local: Local = False,
) -> None:
    """Compare predictions with outcomes now, and show the report.

    The report says how large the errors are and how often the intervals hold the truth, beside what training promised,
    and whether new data differ from those of the training. The exit code is 3 if there is an alarm.
    """
    console = Console()
    with report_errors(TrainingError, *STACK_ERRORS):
        environment = open_choice(env, local)
        with console.status("Comparing"):
            models = connect_models(environment)
            report = fetch_report(connect_function("monitor", environment), models.client, models.bucket)
            # Here, because matplotlib takes a second.
            from training.live.page import write_page  # noqa: PLC0415

            write_page(output, report)
        print_report(console, report)
        print(f"Wrote {output}")
    if find_alarms(report):
        raise typer.Exit(3)


def recalibrate(
    since: Annotated[
        str | None,
        typer.Option(
            metavar="DAY",
            help="Use only outcomes that were observed from this day on, in UTC, for example 2026-01-31.",
            show_default="all",
        ),
    ] = None,
    env: Env = None,
    local: Local = False,
    signing_key: Key = "",
) -> None:
    """Publish the current network with intervals that fit recent outcomes.

    It needs 200 outcomes and takes the newest 2,000. The version is judged by the gates of `publish` and is not
    promoted.
    """
    console = Console()
    with report_errors(TrainingError, *STACK_ERRORS):
        day = _read_day(since) if since else None
        environment = open_choice(env, local)
        models = connect_models(environment)
        key = connect_signing_key(environment, signing_key) if signing_key else None
        with console.status("Recalibrating"):
            # Here, because it loads TensorFlow.
            from training.live.recalibration import recalibrate_current  # noqa: PLC0415

            function = connect_function("monitor", environment)
            made = recalibrate_current(models.client, models.bucket, function, day, key)
        figures = made.figures
        window, before = figures["window"], figures["before"]
        print(
            f"{figures['outcomes']:,} outcomes of {figures['from']}, observed from {window['from'][:10]} to "
            f"{window['to'][:10]}\nThe intervals that were served held the truth for "
            f"{100 * before['coverage']:.1f} % of them, {format_figure(before['mean_width'])} wide on average\n"
            f"The new ones hold {100 * figures['coverage']:.1f} %, {format_figure(figures['mean_width'])} wide, each "
            "judged without the outcomes it is fitted to\n"
            f"Published {made.version}. To serve it:\n\n"
            f"  {models.command} promote {made.version} --bucket {models.bucket}"
            + (f" --signing-key {signing_key}" if signing_key else "")
            + f' --reason "intervals fitted to {figures["outcomes"]} outcomes"'
        )


def _read_day(text: str) -> datetime:
    try:
        return datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=UTC)
    except ValueError:
        raise LiveError(f"--since must be a day such as 2026-01-31, not {text!r}") from None


def register(app: typer.Typer) -> None:
    """Add the commands to those of training."""
    app.add_typer(outcomes_app, name="outcomes")
    app.command()(monitor)
    app.command()(recalibrate)
