"""The set-up of .venv, in a copy of what it needs: the one line that each obstacle gets, before anything is fetched."""

import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from local.ports import LOOPBACK, find_free_ports

REPOSITORY = Path(__file__).resolve().parents[2]
LOCKS = sorted(path.stem for path in (REPOSITORY / "requirements").glob("*.txt"))


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    (tmp_path / "local").mkdir()
    shutil.copy(REPOSITORY / "Makefile", tmp_path)
    shutil.copy(REPOSITORY / "local" / "set_up.py", tmp_path / "local")
    shutil.copytree(REPOSITORY / "requirements", tmp_path / "requirements")
    return tmp_path


def make(clone: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run make as from a terminal of its own: the flags of a make that runs these tests stay out."""
    own = {name: value for name, value in os.environ.items() if not name.startswith(("MAKE", "MFLAGS", "PIP_", "UV_"))}
    return subprocess.run(
        ["make", *arguments], cwd=clone, env=own | environment, capture_output=True, text=True, check=False
    )


def read_lines(result: subprocess.CompletedProcess[str]) -> list[str]:
    """The lines about a failure, without make's own last one."""
    lines = result.stderr.splitlines()
    assert result.returncode == 2
    assert lines[-1].startswith("make: ***")
    return lines[:-1]


def test_help_lists_the_targets_and_needs_no_set_up(clone: Path) -> None:
    result = make(clone)
    assert result.returncode == 0
    targets = [line.split()[1] for line in result.stdout.splitlines()]
    expected = (
        "help run check test test-faults bench evaluate demo-drift deploy destroy lint format sam checkov shap lock"
    )
    assert targets == [*expected.split(), "clean"]


@pytest.mark.parametrize("target", ["deploy", "destroy"])
def test_a_deployment_without_an_environment_gets_one_line(clone: Path, target: str) -> None:
    assert read_lines(make(clone, target, ENV="")) == [f"Which environment? For example: make {target} ENV=dev"]


@pytest.mark.parametrize(("target", "step"), [("deploy", "all"), ("destroy", "destroy")])
def test_a_deployment_asks_unless_it_is_told_not_to(clone: Path, target: str, step: str) -> None:
    asked, told = (make(clone, "--dry-run", target, "ENV=dev", *more).stdout.splitlines() for more in ([], ["YES=1"]))
    assert asked[-1].split() == [".venv/bin/python", "-m", "deploy", step, "--env", "dev"]
    assert told[-1].split() == [*asked[-1].split(), "--yes"]


def test_a_missing_python_gets_one_line(clone: Path) -> None:
    assert read_lines(make(clone, "run", "PYTHON=/nowhere/python3")) == [
        "/nowhere/python3 isn't Python 3.11, 3.12 or 3.13: install one, or name it, for example make PYTHON=python3.12"
    ]


def test_a_python_without_venv_gets_one_line(clone: Path) -> None:
    (clone / "ensurepip.py").write_text("raise ImportError")
    python = clone / "python"
    python.write_text(f'#!/bin/sh\nPYTHONPATH={shlex.quote(str(clone))} exec {shlex.quote(sys.executable)} "$@"\n')
    python.chmod(0o755)
    lines = read_lines(make(clone, "run", f"PYTHON={python}"))
    assert len(lines) == 1
    assert "has no venv module: install it (Debian, Ubuntu: apt install python3." in lines[0]
    assert not (clone / ".venv").exists()


def test_an_unreachable_registry_gets_one_line(clone: Path) -> None:
    nowhere = f"http://{LOOPBACK}:{find_free_ports(1)[0]}/simple"
    result = make(clone, "run", f"PYTHON={sys.executable}", PIP_INDEX_URL=nowhere, PIP_CONFIG_FILE=os.devnull)
    assert read_lines(result) == [
        f"The package registry can't be reached: Connection refused. All of it: {clone}/build/set-up.log"
    ]
    assert result.stdout == "Setting up .venv (once, about a minute) ...\n"


@pytest.mark.parametrize("name", LOCKS)
def test_a_lock_is_hashed_and_names_no_place(name: str) -> None:
    lines = (REPOSITORY / "requirements" / f"{name}.txt").read_text().splitlines()
    pins = [number for number, line in enumerate(lines) if line and line[0] not in " #"]
    assert pins
    for number in pins:
        assert "==" in lines[number]
        assert lines[number + 1].startswith("    --hash=sha256:")
    assert not [line for line in lines if "://" in line or " @ " in line or line.startswith("-")]


def test_what_ships_is_what_is_tested() -> None:
    def read_pins(name: str) -> set[str]:
        lines = (REPOSITORY / "requirements" / f"{name}.txt").read_text().splitlines()
        return {line.split(" ")[0] for line in lines if "==" in line.split(" ")[0]}

    for name in LOCKS:
        if name.startswith(("lambda-", "bench-")):
            assert read_pins(name) <= read_pins("dev"), name
