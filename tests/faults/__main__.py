"""`make test-faults`: thousands of requests through the real handler while everything around it fails."""

import argparse
import re
import sys
import time
from pathlib import Path

from local.errors import StackError
from local.seed import find_or_train_bundle
from local.stack import ending_by_signal
from tests.faults.check import check
from tests.faults.drill import run_drill
from tests.faults.faults import FAULTS
from tests.faults.sabotage import SABOTAGES
from tests.faults.stage import leave_the_developers_environment, running_stage
from training.errors import TrainingError

DIRECTORY = Path("build/faults")
MODELS = Path("build/models")


def main() -> int:
    """Run the drill; the exit code is 1 when the promise is broken, 2 when the drill could not be run."""
    options = parse_options()
    leave_the_developers_environment()
    started = time.monotonic()

    def report(line: str) -> None:
        print(f"{time.monotonic() - started:5.0f} s  {line}", flush=True)

    try:
        with ending_by_signal():
            bundle = find_or_train_bundle(options.models)
            report(f"starting PostgreSQL, S3, SQS and the functions (seed {options.seed}; logs in {options.directory})")
            with running_stage(options.directory, bundle, options.sabotage) as stage:
                evidence = run_drill(stage, options.faults, options.requests, options.seed, report)
    except (StackError, TrainingError) as error:
        print(error, file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130
    verdict = check(evidence)
    for event, count in evidence.events.items():
        report(f"{event}: {count}")
    for line in verdict.broken:
        print(f"BROKEN: {line}")
    if verdict.broken:
        print(f"The same requests and faults again: --seed {options.seed} --requests {options.requests}")
    print(verdict.figures, flush=True)
    return 1 if verdict.broken else 0


def parse_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m tests.faults",
        description="Send thousands of requests through the real function while all around it fails.",
    )
    parser.add_argument(
        "--requests", type=read_count, metavar="NUMBER", default=10_000, help="how many to make at least"
    )
    parser.add_argument(
        "--seed",
        type=read_count,
        metavar="NUMBER",
        default=int(time.time()),
        help="of the requests and the order of the faults; by default the time",
    )
    parser.add_argument("--only", default="", metavar="TEXT", help="the faults with this text in their name")
    parser.add_argument(
        "--sabotage",
        choices=SABOTAGES,
        default="",
        metavar="NAME",
        help=f"break the service, which must be noticed: {', '.join(SABOTAGES)}",
    )
    parser.add_argument("--directory", type=Path, metavar="DIRECTORY", default=DIRECTORY, help="for data and logs")
    parser.add_argument("--models", type=Path, metavar="DIRECTORY", default=MODELS, help="where the trained models are")
    options = parser.parse_args()
    options.faults = [fault for fault in FAULTS if options.only in fault.name]
    if not options.faults:
        parser.error(f"no fault has a name with {options.only!r} in it")
    return options


def read_count(text: str) -> int:
    """A whole number that is not negative, as argparse asks for it."""
    if not re.fullmatch(r"[0-9]{1,19}", text):
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from 0")
    return int(text)


if __name__ == "__main__":
    sys.exit(main())
