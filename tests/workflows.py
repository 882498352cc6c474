"""The workflows of GitHub Actions as their files have them, and their scripts, run as a runner runs them."""

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml  # type: ignore[import-untyped]

ROOT = Path(__file__).parents[1]
GITHUB = ROOT / ".github"
WORKFLOWS = sorted((GITHUB / "workflows").glob("*.yml"))
ACTIONS = sorted((GITHUB / "actions").glob("*/action.yml"))
BY_INPUT = "${{ inputs.environment }}"


def read(path: Path) -> dict[str, Any]:
    document: dict[str, Any] = yaml.safe_load(path.read_text(encoding="utf-8"))
    return document


def list_jobs() -> Iterator[tuple[str, dict[str, Any]]]:
    for path in WORKFLOWS:
        for name, job in read(path)["jobs"].items():
            yield f"{path.stem}.{name}", job


JOBS = dict(list_jobs())


def list_steps() -> Iterator[dict[str, Any]]:
    for job in JOBS.values():
        yield from job.get("steps", [])
    for path in ACTIONS:
        yield from read(path)["runs"]["steps"]


def find_script(job: dict[str, Any], word: str) -> str:
    [script] = [step["run"] for step in job["steps"] if word in step.get("run", "")]
    return str(script)


def run_script(script: str, directory: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """As a runner does for `shell: bash`; programs in the directory come first."""
    path = f"{directory}{os.pathsep}{os.environ['PATH']}"
    return subprocess.run(
        ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", script],
        cwd=directory,
        env={"PATH": path, **environment},
        capture_output=True,
        text=True,
        check=False,
    )
