"""`make run`: the commands that it prints, Ctrl-C, the next start, the registry."""

import re
import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from local.ports import LOOPBACK
from tests.bundles import copy_bundle
from tests.end_to_end.runs import ROOT, Clone, Run, count_rows, find_registry_command, query, run_printed_curl
from tests.machine import find_port_row

# Worse than any ridge regression.
BAD = {"metrics": {"held_out": {"rmse": 99.0, "coverage": 0.9}, "ridge": {"rmse": 55.0}}}


@pytest.fixture
def clone(tmp_path: Path) -> Clone:
    return Clone(tmp_path)


@pytest.fixture
def start(clone: Clone) -> Iterator[Callable[[int], Run]]:
    runs: list[Run] = []

    def start_run(port: int) -> Run:
        runs.append(Run(clone, [".venv/bin/python", "-m", "local", "--port", str(port)]))
        return runs[-1]

    yield start_run
    for run in runs:
        if run.process.poll() is None:
            run.interrupt()


def shut_out(output: str, role: str) -> None:
    """Shut this role alone out of the database."""
    query(output, f"ALTER ROLE {role} NOLOGIN")
    query(output, f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = '{role}'")


def test_first_run_trains_and_the_second_keeps_the_predictions_also_by_the_queue(
    clone: Clone, start: Callable[[int], Run], bundle: Path
) -> None:
    port = find_port_row()
    bad = copy_bundle(bundle, clone.models, "20260101T000000Z-00000001", **BAD)
    first = start(port)
    output = first.wait_until_ready()
    assert "INFO:" not in output, "what LiteRT prints by itself"
    assert f"Passed over: {bad.name} was not published: its RMSE of 99.00" in output
    assert "There is no such model yet: training one." in output
    assert re.search(r"^Trained in \d+ s\.$", output, re.MULTILINE)
    assert run_printed_curl(output)["prediction"] > 0
    assert count_rows(output) == 1
    assert first.interrupt() == 0
    assert "Stopped. The predictions and the registry are kept for the next run." in first.read()
    assert "Traceback" not in first.read()
    second = start(port)
    output = second.wait_until_ready()
    assert "training one" not in output
    assert run_printed_curl(output)["prediction"] > 0
    assert count_rows(output) == 2
    shut_out(output, "diabetes_api")
    assert run_printed_curl(output)["prediction"] > 0
    deadline = time.monotonic() + 15
    while count_rows(output) < 3:
        assert time.monotonic() < deadline, second.read()
        time.sleep(0.1)
    assert second.interrupt() == 0
    assert "The queue is not kept" not in second.read()
    for each in (port, port + 1, port + 2):
        socket.create_server((LOOPBACK, each)).close()


def test_the_end_tells_of_records_that_only_the_queue_has(
    clone: Clone, start: Callable[[int], Run], bundle: Path
) -> None:
    copy_bundle(bundle, clone.models, "20260101T000000Z-00000001")
    run = start(find_port_row())
    output = run.wait_until_ready()
    for role in ("diabetes_api", "diabetes_replay"):
        shut_out(output, role)
    for _ in range(2):
        assert run_printed_curl(output)["prediction"] > 0
    assert count_rows(output) == 0
    assert run.interrupt() == 0
    [line] = [line for line in run.read().splitlines() if "The queue is not kept" in line]
    assert "lost are 2 of its messages" in line
    assert "Traceback" not in run.read()


def test_the_registry_is_used_as_printed_and_documented_and_outlives_the_run(
    clone: Clone, start: Callable[[int], Run], bundle: Path
) -> None:
    port = find_port_row()
    old, new = "20260101T000000Z-00000001", "20260102T000000Z-00000002"
    copy_bundle(bundle, clone.models, old)
    run = start(port)
    output = run.wait_until_ready()
    assert f"Model {old}, which is current in bucket diabetes-models." in output
    assert f"Port {port + 1}: the database, postgresql://" in output
    assert f"Port {port + 2}: S3 and SQS, http://{LOOPBACK}:{port + 2}" in output
    command = find_registry_command(output)
    assert old in clone.do(command)
    copy_bundle(bundle, clone.models, new)
    text = (ROOT / "docs" / "model.md").read_text(encoding="utf-8").partition("## Trying that on this machine")[2]
    script = re.findall(r"```sh\n(.*?)```", text, re.DOTALL)[0].replace("8002", str(port + 2))
    assert new in clone.do(script)
    clone.do(command.replace("training list", f"training promote {new} --reason a-test"))
    run.interrupt()
    run = start(port)
    output = run.wait_until_ready()
    assert f"Model {new}, which is current" in output
    assert run_printed_curl(output)["model_version"] == new
    assert f"{old} is current again" in clone.do(command.replace("training list", "training rollback --reason a-test"))


def test_taken_port_is_one_line(start: Callable[[int], Run]) -> None:
    port = find_port_row()
    with socket.create_server((LOOPBACK, port)):
        run = start(port)
        assert run.process.wait(30) == 1
    [line] = run.read().splitlines()
    assert f"Port {port}, for the API, is taken" in line
    assert "make run PORT=" in line
