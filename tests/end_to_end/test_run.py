"""`make run` as a person uses it, but for the set-up of .venv: the printed curl line, Ctrl-C, the second start."""

import json
import os
import re
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pg8000.native
import pytest

from local.ports import LOOPBACK
from tests.machine import find_port_row, require

ROOT = Path(__file__).parents[2]
# The first start trains, on cores that others may need.
START_SECONDS = 300


class Run:
    """`python -m local` in a directory, with its output in a file."""

    def __init__(self, directory: Path, port: int) -> None:
        self.log_path = directory / "output.txt"
        with self.log_path.open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-u", "-m", "local", "--port", str(port)],
                cwd=directory,
                env={**os.environ, "PYTHONPATH": str(ROOT)},
                stdout=log,
                stderr=subprocess.STDOUT,
            )

    def read(self) -> str:
        return self.log_path.read_text(encoding="utf-8")

    def wait_until_ready(self) -> str:
        deadline = time.monotonic() + START_SECONDS
        while "Ctrl-C stops everything" not in self.read():
            assert self.process.poll() is None, self.read()
            assert time.monotonic() < deadline, self.read()
            time.sleep(0.1)
        return self.read()

    def interrupt(self) -> int:
        self.process.send_signal(signal.SIGINT)
        return self.process.wait(30)


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[[int], Run]]:
    runs: list[Run] = []

    def start_run(port: int) -> Run:
        runs.append(Run(tmp_path, port))
        return runs[-1]

    yield start_run
    for run in runs:
        if run.process.poll() is None:
            run.interrupt()


def run_printed_curl(output: str) -> dict[str, Any]:
    """Do what the output says, once the server listens, and return the answer."""
    require(shutil.which("curl"), "curl")
    [line] = re.findall(r"^  (curl .*)$", output, re.MULTILINE)
    command = [*shlex.split(line), "--retry", "20", "--retry-connrefused", "--retry-delay", "1"]
    answer: dict[str, Any] = json.loads(subprocess.run(command, capture_output=True, check=True).stdout)
    return answer


def query(output: str, statement: str) -> list[Any]:
    """Ask the database by the address in the output."""
    [(user, password, host, port, name)] = re.findall(r"postgresql://(\w+):(\w+)@([\d.]+):(\d+)/(\w+)", output)
    connection = pg8000.native.Connection(user, password=password, host=host, port=int(port), database=name)
    rows: list[Any] = connection.run(statement)
    connection.close()
    return rows


def count_rows(output: str) -> int:
    [[count]] = query(output, "SELECT count(*) FROM predictions")
    return int(count)


def shut_out_api(output: str) -> None:
    """To the api it is as if the database were away; to the replay function it isn't."""
    query(output, "ALTER ROLE diabetes_api NOLOGIN")
    query(output, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'diabetes_api'")


def test_first_run_trains_and_the_second_keeps_the_predictions_also_by_the_queue(start: Callable[[int], Run]) -> None:
    port = find_port_row()
    first = start(port)
    output = first.wait_until_ready()
    assert "INFO:" not in output, "what LiteRT prints by itself"
    assert "There is no trained model yet: training one." in output
    assert re.search(r"^Trained in \d+ s\.$", output, re.MULTILINE)
    assert run_printed_curl(output)["prediction"] > 0
    assert count_rows(output) == 1
    assert first.interrupt() == 0
    assert "Stopped. The predictions are kept for the next run." in first.read()
    assert "Traceback" not in first.read()
    second = start(port)
    output = second.wait_until_ready()
    assert "training one" not in output
    assert run_printed_curl(output)["prediction"] > 0
    assert count_rows(output) == 2
    shut_out_api(output)
    assert run_printed_curl(output)["prediction"] > 0
    deadline = time.monotonic() + 15
    while count_rows(output) < 3:
        assert time.monotonic() < deadline, second.read()
        time.sleep(0.1)
    assert second.interrupt() == 0
    for each in (port, port + 1, port + 2):
        socket.create_server((LOOPBACK, each)).close()


def test_taken_port_is_one_line(start: Callable[[int], Run]) -> None:
    port = find_port_row()
    with socket.create_server((LOOPBACK, port)):
        run = start(port)
        assert run.process.wait(30) == 1
    [line] = run.read().splitlines()
    assert f"Port {port}, for the API, is taken" in line
    assert "make run PORT=" in line
