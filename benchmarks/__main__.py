"""`make bench`: measures the functions side by side, and says what of the service's goals is reached."""

import time
from functools import partial

from rich.console import Console

from benchmarks.errors import BenchmarkError
from benchmarks.machine import describe_machine
from benchmarks.measure import Counts, measure
from benchmarks.packages import DIRECTORY
from benchmarks.report import print_report, write_report
from benchmarks.stage import running_stage
from benchmarks.summary import summarise
from benchmarks.variant import ROOT
from local.emulator import find_emulator
from local.errors import StackError
from training import MODELS
from training.errors import TrainingError
from training.options import make_app, report_errors
from training.progress import show_progress
from training.provide import ensure_model

BUILD = ROOT / "build"


app = make_app()


@app.command(epilog="`make bench` installs what it needs and runs it. Figures and plot go to build/.")
def main() -> None:
    """Measure the function beside an empty one and the usual way; takes some minutes."""
    console = Console()
    counts = Counts()
    with report_errors(BenchmarkError, StackError, TrainingError):
        emulator = find_emulator(BUILD / "sam")
        bundle = ensure_model(ROOT / MODELS)
        machine = describe_machine()
        with running_stage(DIRECTORY / "stage", emulator, bundle, console) as sites:
            started = time.monotonic()
            samples = measure(sites, bundle, counts, partial(show_progress, console))
            seconds = time.monotonic() - started
    figures = summarise(samples) | {
        "counts": vars(counts),
        "machine": machine,
        "seconds": round(seconds),
    }
    write_report(BUILD, figures)
    print_report(console, figures)
    console.print(f"Took {seconds:.0f} s. In {BUILD}: bench.json, bench.png", highlight=False)


if __name__ == "__main__":
    app(prog_name="python -m benchmarks")
