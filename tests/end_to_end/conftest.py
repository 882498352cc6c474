"""SAM's command line, and the Runtime Interface Emulator that its wheel ships."""

import os
import platform
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from local.environment import DATABASE_USERS, Function
from local.ports import find_free_ports
from tests.end_to_end.emulator import Emulator
from tests.machine import require

ROOT = Path(__file__).parents[2]
SAM_VENV = ROOT / "build" / "sam"


@pytest.fixture(scope="session")
def sam_venv() -> Path:
    """The environment of the locked aws-sam-cli, made once and again when the lock changes."""
    done = subprocess.run(["make", "sam"], cwd=ROOT, capture_output=True, text=True, check=False)
    require(done.returncode == 0, f"aws-sam-cli ({done.stderr.strip()})")
    return SAM_VENV


@pytest.fixture(scope="session")
def emulator_path(sam_venv: Path) -> Path:
    require(sys.platform == "linux", "Linux, for which the Runtime Interface Emulator is built")
    machine = {"aarch64": "arm64"}.get(platform.machine(), platform.machine())
    [path] = sam_venv.glob(f"lib/python*/site-packages/samcli/local/rapid/aws-lambda-rie-{machine}")
    return path


@pytest.fixture
def start_emulator(
    emulator_path: Path, environment: dict[str, str], tmp_path: Path
) -> Iterator[Callable[..., Emulator]]:
    """Start a function of the handler as Lambda does; what was started is stopped after the test."""
    started: list[Emulator] = []

    def start(function: Function = "api", **changed: str) -> Emulator:
        own = {**environment, "DATABASE_USER": DATABASE_USERS[function]}
        emulator = Emulator(
            emulator_path,
            [sys.executable, "-m", "awslambdaric", f"lambda_app.handler.{function}"],
            {**os.environ, **own, **changed, "PYTHONPATH": str(ROOT)},
            find_free_ports(2),
            tmp_path / f"emulator-{len(started)}.log",
        )
        started.append(emulator)
        return emulator

    yield start
    for emulator in started:
        emulator.stop()
