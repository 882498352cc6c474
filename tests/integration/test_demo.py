"""`make demo-drift` on a stack of its own: a short story with the same parts, of fewer days and patients."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from local.aws_services import REPOSITORY
from local.process import build_environment

QUIET_DAYS, DAYS, PER_DAY = 30, 40, 20


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory, bundle: Path) -> Path:
    """Like a clone, with a trained model."""
    directory = tmp_path_factory.mktemp("clone")
    (directory / "build").mkdir()
    (directory / "build" / "models").symlink_to(bundle.parent)
    return directory


@pytest.fixture(scope="module")
def told(directory: Path) -> str:
    """The output of the command."""
    days = ("--quiet-days", str(QUIET_DAYS), "--days", str(DAYS), "--per-day", str(PER_DAY))
    done = subprocess.run(
        [sys.executable, "-m", "local.demo", *days],
        cwd=directory,
        env=build_environment(PYTHONPATH=str(REPOSITORY)),
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, ""), done.stderr
    return done.stdout


def find_part(told: str, title: str) -> str:
    """The lines about a part of the story, up to the empty line."""
    _, found, rest = told.partition(title)
    assert found, told
    return rest.split("\n\n")[0]


def test_mistakes_within_the_limits_are_drift_and_others_are_refused(told: str) -> None:
    assert "no alarm" in find_part(told, "Nothing changes")
    refused = find_part(told, "A laboratory reports lipids in mmol/L")
    assert "refuses it with 422" in refused
    assert re.findall(r"^  (s\d) must be a number from", refused, re.MULTILINE) == ["s1", "s2", "s3", "s5"]
    assert re.search(r"ALARM  drift of s5: \d+ days and \d+ patients later", find_part(told, "Now lipids"))


def test_changed_relation_is_found_by_the_coverage_alone(told: str) -> None:
    part = find_part(told, "The relation changes")
    assert re.search(r"ALARM  coverage: \d+ days later, with outcome \d+ of these patients", part)
    assert "drift" not in part


def test_reports_are_written_as_pages(told: str, directory: Path) -> None:
    # Every two weeks and at the end; after a change, daily for 15 days, and then every five.
    assert re.search(r"^46 reports, \d+ s$", told, re.MULTILINE)
    mistake, end = ((directory / "build" / "demo" / name).read_text() for name in ("mistake.html", "performance.html"))
    assert "Drift of s5" in mistake
    assert "Coverage of" in end
