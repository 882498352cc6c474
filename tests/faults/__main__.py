"""`make test-faults`: thousands of requests through the real handler while everything around it fails."""

import sys
import time
from pathlib import Path
from typing import Annotated

import typer

from local.errors import StackError
from local.stack import ending_by_signal
from tests.faults.check import check
from tests.faults.drill import ALL_FAULTS, run_drill
from tests.faults.sabotage import SABOTAGES
from tests.faults.stage import leave_the_developers_environment, running_stage
from training import MODELS
from training.errors import TrainingError
from training.options import make_app, one_of, whole_number
from training.provide import ensure_model

DIRECTORY = Path("build/faults")
COUNT = whole_number(0, 2**63 - 1)

app = make_app()


@app.command()
def main(
    requests: Annotated[
        int, typer.Option(parser=COUNT, metavar="NUMBER", help="How many requests to send at least.")
    ] = 10_000,
    seed: Annotated[
        int | None,
        typer.Option(
            parser=COUNT,
            metavar="NUMBER",
            help="Decides the requests and the order of the faults.",
            show_default="the time",
        ),
    ] = None,
    only: Annotated[str, typer.Option(metavar="TEXT", help="Only the faults with this text in their name.")] = "",
    sabotage: Annotated[
        str,
        typer.Option(
            parser=one_of("", *SABOTAGES),
            metavar="NAME",
            help=f"Break the service, which the drill must notice: {', '.join(SABOTAGES)}.",
        ),
    ] = "",
    directory: Annotated[Path, typer.Option(metavar="DIRECTORY", help="Where data and logs go.")] = DIRECTORY,
    models: Annotated[Path, typer.Option(metavar="DIRECTORY", help="Where the trained models are.")] = MODELS,
) -> None:
    """Send thousands of requests through the real function while all around it fails.

    The exit code is 1 if the promise is broken, 2 if the drill could not be run.
    """
    faults = [fault for fault in ALL_FAULTS if only in fault.name]
    if not faults:
        raise typer.BadParameter(f"no fault has a name with {only!r} in it", param_hint="--only")
    seed = int(time.time()) if seed is None else seed
    leave_the_developers_environment()
    started = time.monotonic()

    def report(line: str) -> None:
        print(f"{time.monotonic() - started:5.0f} s  {line}", flush=True)

    try:
        with ending_by_signal():
            bundle = ensure_model(models)
            report(f"starting PostgreSQL, S3, SQS and the functions (seed {seed}; logs in {directory})")
            with running_stage(directory, bundle, sabotage) as stage:
                evidence = run_drill(stage, faults, requests, seed, report)
    except (StackError, TrainingError) as error:
        print(error, file=sys.stderr)
        raise typer.Exit(2) from error
    verdict = check(evidence)
    for event, count in evidence.events.items():
        report(f"{event}: {count}")
    for line in verdict.broken:
        print(f"BROKEN: {line}")
    if verdict.broken:
        print(f"The same requests and faults again: --seed {seed} --requests {requests}")
    print(verdict.figures, flush=True)
    if verdict.broken:
        raise typer.Exit(1)


if __name__ == "__main__":
    app(prog_name="python -m tests.faults")
