"""checkov finds nothing unsafe in terraform/, and every check that it skips has its reason beside it."""

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.machine import require

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def report() -> dict[str, Any]:
    """The report of checkov on terraform/, made without any request to a host."""
    made = subprocess.run(["make", "checkov"], cwd=ROOT, capture_output=True, text=True, check=False)
    require(made.returncode == 0, f"checkov ({made.stderr.strip()})")
    # The tests of Terraform make nothing, and checkov cannot read all of them.
    options = ["--directory", "terraform", "--framework", "terraform", "--skip-path", "/tests/", "--skip-download"]
    command = ["build/checkov/bin/checkov", *options, "--output", "json"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.stdout, done.stderr
    document: dict[str, Any] = json.loads(done.stdout)
    return document


def test_nothing_fails_and_every_file_was_read(report: dict[str, Any]) -> None:
    found = report["results"]
    assert [f"{check['check_id']} {check['resource']}" for check in found["failed_checks"]] == []
    assert found["parsing_errors"] == []
    checked = {Path(check["file_abs_path"]).parent for check in found["passed_checks"]}
    with_resources = {
        path.parent
        for path in (ROOT / "terraform").glob("**/*.tf")
        if ".terraform" not in path.parts and '\nresource "' in path.read_text(encoding="utf-8")
    }
    assert with_resources <= checked


def test_every_skip_has_its_reason(report: dict[str, Any]) -> None:
    skipped = report["results"]["skipped_checks"]
    assert skipped
    # checkov's own word where there is none is a short one.
    reasons = {check["check_id"]: check["check_result"]["suppress_comment"] for check in skipped}
    assert {check for check, reason in reasons.items() if len(reason.split()) < 4} == set()
