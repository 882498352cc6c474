"""The step `migrate`: it reports the function's answer."""

import socket
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import boto3
import pytest
import urllib3

from deploy.environment import Environment
from deploy.errors import DeployError
from deploy.migrate import migrate
from lambda_app.log.migrations import MigrationError
from local.aws_services import ACCOUNT, REGION, AwsServices
from local.ports import LOOPBACK
from tests.standins.functions import BrokenError, Functions, ThrottledError


@pytest.fixture
def invoke(aws: AwsServices, monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[str]]:
    """Run the step with a function that Lambda knows as `migrate`."""

    def invoke_function(function: Callable[..., Any], name: str = "migrate") -> list[str]:
        with Functions(aws.port, migrate=function) as functions:
            monkeypatch.setenv("AWS_ENDPOINT_URL_LAMBDA", functions.url)
            return run_step(name)

    return invoke_function


def run_step(name: str) -> list[str]:
    session = boto3.Session(aws_access_key_id="local", aws_secret_access_key="local", region_name=REGION)
    return migrate(Environment("dev", ACCOUNT, REGION, session), name)


def test_applied_migrations_are_returned(invoke: Callable[..., list[str]]) -> None:
    assert invoke(lambda *_: {"applied": ["0001.sql"]}) == ["0001.sql"]


def test_migration_error_is_passed_on(invoke: Callable[..., list[str]]) -> None:
    def fail(*_: Any) -> None:
        raise MigrationError("the database is ahead of this code: it has 0009.sql")

    with pytest.raises(DeployError, match="MigrationError: the database is ahead of this code: it has 0009"):
        invoke(fail)


def test_lost_connection_is_followed_by_the_outcome(
    invoke: Callable[..., list[str]], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("deploy.function.WAIT_SECONDS", 0.3)
    monkeypatch.setattr("deploy.migrate.PAUSE_SECONDS", 0.01)
    runs: list[int] = []

    def migrate_slowly(*_: Any) -> dict[str, list[str]]:
        runs.append(len(runs))
        if len(runs) == 1:
            time.sleep(0.6)
        if len(runs) == 2:
            raise ThrottledError
        if len(runs) == 3:
            raise BrokenError
        return {"applied": []}

    assert invoke(migrate_slowly) == []
    assert len(runs) == 4
    assert capsys.readouterr().out.splitlines() == [
        "The connection to migrate was lost. It goes on; asking for its outcome"
    ]


def test_connection_that_is_always_lost_starts_few_runs_and_is_given_up(
    invoke: Callable[..., list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("deploy.function.WAIT_SECONDS", 0.05)
    monkeypatch.setattr("deploy.migrate.PAUSE_SECONDS", 0.01)
    monkeypatch.setattr("deploy.migrate.PATIENCE_SECONDS", 2.0)
    runs: list[int] = []

    def migrate_slowly(*_: Any) -> dict[str, list[str]]:
        runs.append(len(runs))
        time.sleep(0.2)
        return {"applied": []}

    with pytest.raises(DeployError, match="did not answer in time"):
        invoke(migrate_slowly)
    assert 2 <= len(runs) <= 10


def test_failure_of_lambda_before_any_run_is_reported(invoke: Callable[..., list[str]]) -> None:
    def fail(*_: Any) -> None:
        raise BrokenError

    with pytest.raises(DeployError, match="Lambda refused"):
        invoke(fail)


def test_answer_that_is_not_json_is_reported(invoke: Callable[..., list[str]]) -> None:
    with pytest.raises(DeployError, match="the answer of migrate can't be read"):
        invoke(lambda *_: b"<!doctype html>")


@pytest.mark.parametrize("broken", [b"", b"HTTP/1.1 200 OK\r\ncontent-length: 15\r\n\r\n{"])
def test_answer_that_breaks_off_is_asked_for_again(broken: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("deploy.migrate.PAUSE_SECONDS", 0.01)

    def serve(server: socket.socket) -> None:
        for answer in (broken, b'HTTP/1.1 200 OK\r\ncontent-length: 15\r\n\r\n{"applied": []}'):
            connection, _ = server.accept()
            with connection:
                request = b""
                while not request.endswith(b"{}"):
                    request += connection.recv(65536)
                connection.sendall(answer)

    with socket.create_server((LOOPBACK, 0)) as server, ThreadPoolExecutor(1) as pool:
        server.settimeout(10)
        serving = pool.submit(serve, server)
        monkeypatch.setenv("AWS_ENDPOINT_URL_LAMBDA", f"http://{LOOPBACK}:{server.getsockname()[1]}")
        assert run_step("migrate") == []
        serving.result()


def test_connection_is_kept_alive_and_given_up_before_the_network_forgets_it(
    invoke: Callable[..., list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    connect = urllib3.util.connection.create_connection
    opened: list[socket.socket] = []

    def connect_and_remember(*args: Any, **kwargs: Any) -> socket.socket:
        opened.append(connect(*args, **kwargs))
        return opened[-1]

    monkeypatch.setattr("urllib3.util.connection.create_connection", connect_and_remember)

    kept_alive: list[bool] = []

    def look(*_: Any) -> dict[str, list[str]]:
        [waiting] = opened
        kept_alive.append(waiting.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE) != 0)
        return {"applied": []}

    assert invoke(look) == []
    assert kept_alive == [True]
    # The limit of its last wait, which was that for the answer.
    assert 0 < (opened[0].gettimeout() or 0) < 350


def test_second_run_beside_another_one_is_refused(invoke: Callable[..., list[str]]) -> None:
    def throttle(*_: Any) -> None:
        raise ThrottledError

    with pytest.raises(DeployError, match="migrate is running already, or the account's quota is used up: run `python"):
        invoke(throttle)


def test_missing_function_is_named(invoke: Callable[..., list[str]]) -> None:
    with pytest.raises(DeployError, match="there is no function other with an alias live: apply the plan first"):
        invoke(lambda *_: {"applied": []}, "other")
