"""`python -m local.demo`, which `make demo-drift` calls: tells the story on a stack of its own."""

import shutil
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated

import typer

from local.demo.cases import CaseMaker
from local.demo.phases import list_phases
from local.demo.service import DemoService, ask, serving
from local.demo.story import Story
from local.demo.watch import Watch
from local.errors import StackError
from local.run import read_settings
from local.seed import migrate_database, provide_model
from local.stack import Stack, running_stack
from problem import story
from problem.table import TABLE
from training import MODELS
from training.data import load_rows
from training.errors import TrainingError
from training.options import make_app, report_errors, whole_number

DIRECTORY = Path("build/demo")
YEAR = 365

app = make_app()


@app.command()
def main(
    output: Annotated[
        Path, typer.Option(metavar="DIRECTORY", help="Where the stack and the page go; its stack is made anew.")
    ] = DIRECTORY,
    seed: Annotated[
        int, typer.Option(parser=whole_number(0, 2**32 - 1), metavar="NUMBER", help="Another seed, another story.")
    ] = 1,
    per_day: Annotated[
        int, typer.Option(parser=whole_number(1, 1000), metavar="NUMBER", help="How many predictions a day.")
    ] = 12,
    quiet_days: Annotated[
        int, typer.Option(parser=whole_number(30, 3650), metavar="DAYS", help="How long nothing changes.")
    ] = YEAR,
    days: Annotated[
        int, typer.Option(parser=whole_number(7, 365), metavar="DAYS", help="How long each of the other parts lasts.")
    ] = 75,
) -> None:
    """Tell when the monitor notices a mistake in the data, and a change of what the model has learned.

    The time of the story is not that of the clock: the story ends now. All of it takes a minute or two.
    """
    started = time.perf_counter()
    stack_directory = output / "stack"
    with report_errors(StackError, TrainingError):
        shutil.rmtree(stack_directory, ignore_errors=True)
        with running_stack(stack_directory, 0) as stack:
            version = provide_model(stack.aws.endpoint_url, stack.aws.bucket, MODELS)
            migrate_database(stack.postgres, read_settings(stack, "migrate"))
            phases = list_phases(quiet_days, days)
            begin = datetime.now(UTC) - timedelta(days=sum(phase.days for phase in phases))
            maker = CaseMaker(load_rows(), seed)
            watch, reports = Watch(stack), []
            print(
                f"Model {version}. {per_day} {TABLE.cases} a day, like those of the training but made by chance (seed "
                f"{seed})\nTheir outcomes are observed after 3 weeks (median)\n",
                flush=True,
            )
            told = Story(DemoService(stack), watch, maker, seed, per_day, begin)
            for number, phase in enumerate(phases):
                if number == 1:
                    _show_refusal(stack, maker)
                told.tell(phase)
                reports.append(watch.report)
            watch.close()
        # Here, because matplotlib takes a second.
        from training.live.page import write_page  # noqa: PLC0415

        mistake, end = output / "mistake.html", output / "performance.html"
        write_page(mistake, reports[1])
        write_page(end, reports[-1])
        print(f"Wrote {mistake}, the report at the end of the mistake, and {end}, the last one")
        print(f"{watch.runs} reports, {time.perf_counter() - started:.0f} s")


def _show_refusal(stack: Stack, maker: CaseMaker) -> None:
    """Ask the API as a client would that does not know the unit."""
    [(case, _)] = maker.draw(1)
    with serving(stack):
        status, answer = ask(stack, story.send_unit(case))
    print(f"{story.UNIT}\n  The API refuses it with {status}, before anything is recorded:")
    for error in answer["errors"]:
        print(f"  {error['field']} {error['message']}")
    print(flush=True)


if __name__ == "__main__":
    app(prog_name="python -m local.demo")
