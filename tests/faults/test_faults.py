"""The fault drill in its short form, and drills that must find a service that breaks the promise."""

import re
import secrets
import subprocess
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]


def run_drill(bundle: Path, directory: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the drill in a process of its own, since it changes the environment and handles signals."""
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
    assert " 0 lost, 0 twice, 0 of a wrong version; " in last_line
    assert int(last_line.partition(" requests: ")[0].replace(",", "")) >= 1500


@pytest.mark.parametrize(
    ("sabotage", "fault", "finding"),
    [
        ("swallow-queue-errors", "SQS refuses, the database's port is cut", "lost by the service"),
        ("drop-what-fails", "database's port cut", "lost by the replayer"),
        # If the client sent the request again, the record is in another message, and only this message is missing.
        ("drop-a-message", "database's port cut", "(lost|accepted, but forgotten) by the stand-in for SQS"),
        ("forget-keys", "answers to COMMIT lost, SQS refuses", "stored twice"),
        ("forget-the-candidate", "pointer switched", "predicted otherwise than by its version"),
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
