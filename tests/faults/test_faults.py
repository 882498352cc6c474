"""The fault drill in its short form, and drills against services that break the promise, which must be found out."""

import re
import secrets
import subprocess
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]
FIGURES = re.compile(
    r"([\d,]+) requests: ([\d,]+) answered \(([\d,]+) recorded by the database, ([\d,]+) by the queue, "
    r"([\d,]+) earlier answers\), ([\d,]+) refused, ([\d,]+) cut off; ([\d,]+) predictions answered: "
    r"([\d,]+) stored, ([\d,]+) lost, ([\d,]+) twice; ([\d,]+) rows without an answer; slowest request ([\d.]+) s"
)


def run_drill(bundle: Path, directory: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """In a process of its own: it changes the environment and answers signals."""
    command = [sys.executable, "-m", "tests.faults", "--models", str(bundle.parent), "--directory", str(directory)]
    return subprocess.run(
        [*command, *arguments],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=False,
        timeout=540,
    )


def test_no_answer_is_lost_or_stored_twice_whatever_fails(
    bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    seed = str(secrets.randbelow(10**9))
    with capsys.disabled():
        print(f"\nThe drill of this run, to repeat it: --requests 1500 --seed {seed}")
    result = run_drill(bundle, tmp_path, "--requests", "1500", "--seed", seed)
    assert result.returncode == 0, result.stdout + result.stderr
    last_line = result.stdout.splitlines()[-1]
    figures = FIGURES.fullmatch(last_line)
    assert figures, last_line
    numbers = [int(number.replace(",", "")) for number in figures.groups()[:-1]]
    requests, answered, by_database, by_queue, earlier, refused, cut_off, predictions, stored, lost, twice, _ = numbers
    assert requests == answered + refused + cut_off >= 1500
    assert answered == by_database + by_queue + earlier
    assert min(by_database, by_queue, earlier, refused, cut_off) > 0
    assert (stored, lost, twice) == (predictions, 0, 0)
    assert float(figures.groups()[-1]) < 10


FORGOTTEN = "(lost|accepted, but forgotten) by the stand-in for SQS"


@pytest.mark.parametrize(
    ("sabotage", "fault", "finding"),
    [
        ("swallow-queue-errors", "SQS refuses, the database's port is cut", "lost by the service"),
        ("drop-what-fails", "database's port cut", "lost by the replayer"),
        # By chance the message's record is known from elsewhere too, when its client sent the request again.
        ("drop-a-message", "database's port cut", FORGOTTEN),
        ("drop-a-message", "SQS takes messages and its answers are lost", FORGOTTEN),
        ("forget-keys", "answers to COMMIT lost, SQS refuses", "stored twice"),
    ],
)
def test_a_service_that_breaks_the_promise_is_found_out(
    bundle: Path, tmp_path: Path, sabotage: str, fault: str, finding: str
) -> None:
    result = run_drill(bundle, tmp_path, "--requests", "150", "--sabotage", sabotage, "--only", fault)
    assert result.returncode == 1, result.stdout + result.stderr
    assert re.search(rf"^BROKEN: [\d,]+ (answered but not stored, )?{finding}: ", result.stdout, re.MULTILINE), (
        result.stdout
    )


def test_an_unknown_fault_gets_one_line(tmp_path: Path) -> None:
    result = run_drill(tmp_path / "model", tmp_path, "--only", "nonsense")
    assert result.returncode == 2
    assert result.stderr.splitlines()[-1].endswith("no fault has a name with 'nonsense' in it")
