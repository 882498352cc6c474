"""`make bench`: measures the functions side by side, and says what of the service's goals is reached."""

import argparse
import os
import platform
import sys
import time
from functools import partial
from pathlib import Path
from typing import Any

from rich.console import Console

from benchmarks.errors import BenchmarkError
from benchmarks.measure import Counts, measure
from benchmarks.packages import DIRECTORY
from benchmarks.report import print_report, write_report
from benchmarks.stage import running_stage
from benchmarks.summary import summarise
from benchmarks.variant import ROOT
from local.emulator import find_emulator
from local.errors import StackError
from local.seed import find_or_train_bundle
from training.errors import TrainingError
from training.progress import show_progress

BUILD = ROOT / "build"


def main() -> int:
    """Measure and report; the exit code is 1 when that was not possible, whatever the figures are."""
    argparse.ArgumentParser(
        prog="python -m benchmarks",
        description="Measure the function beside an empty one and the usual way; takes some minutes.",
        epilog="`make bench` installs what it needs and runs it. Figures and plot go to build/.",
    ).parse_args()
    console = Console()
    counts = Counts()
    try:
        emulator = find_emulator(BUILD / "sam")
        bundle = find_or_train_bundle(BUILD / "models")
        machine = describe_machine()
        with running_stage(DIRECTORY / "stage", emulator, bundle, console) as sites:
            started = time.monotonic()
            samples = measure(sites, bundle, counts, partial(show_progress, console))
            seconds = time.monotonic() - started
    except (BenchmarkError, StackError, TrainingError) as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    figures = summarise(samples) | {
        "counts": {"cold": counts.cold, "uncached": counts.uncached, "warm": counts.warm, "batches": counts.batches},
        "machine": machine,
        "seconds": round(seconds),
    }
    write_report(BUILD, figures)
    print_report(console, figures)
    console.print(f"Took {seconds:.0f} s. In {BUILD}: bench.json, bench.png", highlight=False)
    return 0


def describe_machine() -> dict[str, Any]:
    """The machine that the figures come from. `load` is the load of others, from before the run."""
    return {
        "system": platform.platform(),
        "processor": find_processor(),
        "cores": os.cpu_count(),
        "load": round(os.getloadavg()[0], 2),
        "python": platform.python_version(),
    }


def find_processor() -> str:
    for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
        name, _, value = line.partition(":")
        if name.strip() == "model name":
            return value.strip()
    return platform.machine()


if __name__ == "__main__":
    sys.exit(main())
