"""Functions under the Runtime Interface Emulator."""

import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from local.emulator import Emulator
from local.environment import DATABASE_USERS, Function
from local.ports import find_free_ports

ROOT = Path(__file__).parents[2]


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
