"""`python -m training outcomes import|monitor|recalibrate`, on a local stack with its API."""

import csv
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import numpy as np
import pytest
from typer.testing import CliRunner, Result

from lambda_app.log.database import Database
from lambda_app.settings import Settings
from local.aws_client import connect_aws
from local.aws_services import REPOSITORY
from local.demo.service import DemoService, serving
from local.environment import build_service_environment
from local.functions import write_ports
from local.records import make_record
from local.seed import prepare_service
from local.stack import Stack, running_stack
from tests.bundles import DECISION
from tests.records import insert
from training.__main__ import app
from training.data import load_rows
from training.promotion import promote_version
from training.registry import find_current, show_version

NOW = datetime.now(UTC).replace(microsecond=0)
Run = Callable[..., Result]

TABLE_OF_OUTCOMES = "SELECT request_id::text, value FROM outcomes ORDER BY reported_at, value"


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("clone")


@pytest.fixture(scope="module")
def stack(directory: Path, bundle: Path) -> Iterator[Stack]:
    with running_stack(directory / "build" / "local", 0) as stack:
        prepare_service(stack, bundle)
        with serving(stack):
            write_ports(stack, directory / "build" / "local")
            yield stack


@pytest.fixture
def run(directory: Path, stack: Stack, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Result]:
    def run_command(*arguments: str) -> Result:
        return CliRunner().invoke(app, [*arguments])

    monkeypatch.chdir(directory)
    # Settings of the shell must not matter.
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    monkeypatch.setenv("AWS_PROFILE", "nobody")
    # Each test has the tables for itself.
    with closing(Database(Settings.from_env(build_service_environment(stack, "migrate")))) as database:
        database.run_transaction(lambda connection: connection.run("TRUNCATE outcomes, predictions"))
    return run_command


def select(stack: Stack, statement: str) -> list[list[object]]:
    with closing(Database(Settings.from_env(build_service_environment(stack, "migrate")))) as database:
        return database.run_statement(lambda connection: connection.run(statement)) or []


def record(stack: Stack, count: int) -> list[str]:
    """Record predictions of two days ago; return their ids."""
    records = [make_record(created_at=NOW - timedelta(days=2)) for _ in range(count)]
    with closing(Database(Settings.from_env(build_service_environment(stack, "api")))) as database:
        insert(database, *records)
    return [str(one.request_id) for one in records]


def write(path: Path, *rows: tuple[object, ...]) -> Path:
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([("request_id", "value", "observed_at"), *rows])
    return path


def test_a_file_is_sent_and_what_is_refused_is_told(run: Run, stack: Stack, tmp_path: Path) -> None:
    ids = record(stack, 4)
    yesterday, tomorrow = ((NOW + timedelta(days=days)).isoformat() for days in (-1, 1))
    before = (NOW - timedelta(days=3)).isoformat()
    file = write(
        tmp_path / "grades.csv",
        (ids[0], "120.10000000000001", yesterday),
        ("4711", 1, yesterday),
        (ids[1], 130, tomorrow),
        (ids[2], -1, yesterday),
        (ids[3], 140, before),
        # A correction of the first.
        (ids[0], 121, yesterday),
    )
    done = run("outcomes", "import", str(file), "--local")
    told = [line for line in done.stderr.splitlines() if line.startswith("Line")]
    assert [line.partition(":")[0] for line in told] == [f"Line {number} is refused" for number in (3, 4, 5, 6)]
    assert "request_id must be the UUID of a prediction" in told[0]
    assert "observed_at is in the future" in told[1]
    assert "value must be" in told[2]
    assert "observed_at is before the prediction" in told[3]
    assert done.exit_code == 1
    assert "Sent 2 outcomes, recorded 2 by the database\n4 rows are refused: see " in done.stdout
    assert select(stack, TABLE_OF_OUTCOMES) == [[ids[0], 120.10000000000001], [ids[0], 121.0]]
    with (tmp_path / "grades.rejected.csv").open(newline="") as rejected:
        rows = list(csv.DictReader(rejected))
    assert [(row["request_id"], row["line"]) for row in rows] == [
        ("4711", "3"),
        (ids[1], "4"),
        (ids[2], "5"),
        (ids[3], "6"),
    ]
    assert all(row["reason"] for row in rows)
    # Once more: nothing is sent, and the refused rows are still told of.
    again = run("outcomes", "import", str(file), "--local")
    assert again.exit_code == 1
    assert "Sent 0 outcomes\n6 of 6 rows were settled before\n4 rows are refused" in again.stdout
    assert len(select(stack, TABLE_OF_OUTCOMES)) == 2
    # Without their file they are told of again, and what was sent comes as the same rows.
    (tmp_path / "grades.rejected.csv").unlink()
    anew = run("outcomes", "import", str(file), "--local")
    assert (anew.exit_code, anew.stderr.count("is refused: ")) == (1, 4)
    assert (tmp_path / "grades.rejected.csv").exists()
    assert len(select(stack, TABLE_OF_OUTCOMES)) == 2
    # The rejected rows, mended.
    write(tmp_path / "mended.csv", (ids[2], 1, yesterday))
    mended = run("outcomes", "import", str(tmp_path / "mended.csv"), "--local")
    assert (mended.exit_code, mended.stderr.count("refused")) == (0, 0)
    assert not (tmp_path / "mended.rejected.csv").exists()
    # Again, and with a row more.
    for more, sent in ((0, "Sent 0 outcomes"), (1, "Sent 1 outcomes")):
        write(tmp_path / "mended.csv", (ids[2], 1, yesterday), *[(ids[3], 140, yesterday)] * more)
        later = run("outcomes", "import", str(tmp_path / "mended.csv"), "--local")
        assert later.exit_code == 0, later.stderr
        assert sent in later.stdout
        assert f"1 of {1 + more} rows were settled before" in later.stdout


def test_killed_it_goes_on_where_it_was(run: Run, stack: Stack, directory: Path, tmp_path: Path) -> None:
    count = 12_000
    yesterday = (NOW - timedelta(days=1)).isoformat()
    file = write(tmp_path / "many.csv", *((uuid4(), place / 100, yesterday) for place in range(count)))
    state = tmp_path / "many.csv.sent"
    command = [sys.executable, "-m", "training", "outcomes", "import", str(file), "--local"]
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY)}
    with subprocess.Popen(command, cwd=directory, env=environment, stdout=subprocess.PIPE) as process:
        deadline = time.monotonic() + 120
        while not state.exists() and process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.005)
        process.send_signal(signal.SIGKILL)
    settled = json.loads(state.read_bytes())["rows"]
    assert 0 < settled < count
    done = run("outcomes", "import", str(file))
    assert done.exit_code == 0, done.stderr
    assert f"Sent {count - settled:,} outcomes" in done.stdout
    assert f"{settled:,} of {count:,} rows were settled before" in done.stdout
    assert select(stack, "SELECT count(*), count(DISTINCT request_id) FROM outcomes") == [[count, count]]


def test_report_and_recalibration(run: Run, stack: Stack, tmp_path: Path) -> None:
    rows = load_rows()
    names = [str(entry["name"]) for entry in _show(stack)["features"]]
    service = DemoService(stack)
    cases = [dict(zip(names, row, strict=True)) for row in rows.features.tolist()]
    made = service.predict(cases, datetime.now(UTC) - timedelta(days=2))
    # Errors twice as large as those that the intervals know.
    noise = np.random.default_rng(1).normal(0, 80, len(rows))
    values = [max(0.0, one.prediction + error) for one, error in zip(made, noise.tolist(), strict=True)]
    observed = (datetime.now(UTC) - timedelta(days=1)).isoformat()
    items = [(one.request_id, value, observed) for one, value in zip(made, values, strict=True)]
    assert run("outcomes", "import", str(write(tmp_path / "few.csv", *items[:150])), "--local").exit_code == 0
    few = run("recalibrate", "--local")
    assert few.exit_code == 1
    assert "a recalibration needs 200" in few.stderr
    assert run("outcomes", "import", str(write(tmp_path / "all.csv", *items)), "--local").exit_code == 0

    page = tmp_path / "pages" / "performance.html"
    seen = run("monitor", "--local", "--output", str(page))
    assert seen.exit_code == 3, seen.stderr
    assert "ALARM  Coverage of " in seen.stdout
    assert "on average at least 10,000 outcomes pass until a false" in " ".join(seen.stdout.split())
    for told in ("The last 442 outcomes", "By thirds of the prediction", "Drift: 442 "):
        assert told in seen.stdout
    html = page.read_text(encoding="utf-8")
    assert html.count("data:image/svg+xml;base64,") == 5
    # No other file and no network.
    assert "http" not in html.replace("http-equiv", "")

    before = _current(stack)
    done = run("recalibrate", "--local")
    assert done.exit_code == 0, done.stderr
    version = done.stdout.split("Published ")[1].split(".")[0]
    outcomes = _show(stack, version)["recalibrated"]["outcomes"]
    assert done.stdout.endswith(
        f'training promote {version} --bucket {stack.aws.bucket} --reason "intervals fitted to {outcomes} outcomes"\n'
    )
    assert _current(stack) == before
    manifest = _show(stack, version)
    figures = manifest["recalibrated"]
    assert (figures["from"], figures["judged"]) == (before, figures["outcomes"])
    assert figures["before"]["coverage"] < 0.8
    assert abs(figures["coverage"] - 0.9) <= 0.04
    assert figures["mean_width"] > 1.2 * figures["before"]["mean_width"]
    assert manifest["metrics"]["held_out"]["coverage"] == figures["coverage"]

    client = connect_aws("s3", stack.aws.endpoint_url)
    promote_version(client, stack.aws.bucket, version, DECISION)
    assert find_current(client, stack.aws.bucket) == version
    again = DemoService(stack).predict(cases, datetime.now(UTC))
    # The same network, and intervals that hold the outcomes as promised.
    assert [one.prediction for one in again] == [one.prediction for one in made]
    inside = [
        one.interval_lower <= value <= one.interval_upper
        for one, value in zip(again, values, strict=True)
        if one.interval_coverage is not None and one.interval_lower is not None and one.interval_upper is not None
    ]
    assert abs(np.mean(inside) - 0.9) <= 0.04


def test_a_mistake_is_told_in_a_line(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "wrong.csv"
    file.write_text("id,value\n")
    for arguments, told in {
        ("outcomes", "import", str(file)): "must have the column request_id and observed_at, once",
        ("recalibrate", "--since", "yesterday"): "--since must be a day such as 2026-01-31, not 'yesterday'",
        ("monitor", "--local", "--env", "dev"): "--env and --local exclude each other",
    }.items():
        done = run(*arguments)
        assert done.exit_code == 1
        assert told in done.stderr
        assert done.stderr.startswith("Error: ")


def _show(stack: Stack, version: str | None = None) -> dict[str, Any]:
    return show_version(connect_aws("s3", stack.aws.endpoint_url), stack.aws.bucket, version)


def _current(stack: Stack) -> str | None:
    return find_current(connect_aws("s3", stack.aws.endpoint_url), stack.aws.bucket)
