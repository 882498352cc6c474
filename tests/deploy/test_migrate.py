"""The step `migrate`: it reports the function's answer."""

import time
from collections.abc import Callable
from typing import Any

import boto3
import pytest

from deploy.environment import Environment
from deploy.errors import DeployError
from deploy.migrate import migrate
from lambda_app.log.migrations import MigrationError
from local.aws_services import ACCOUNT, REGION, AwsServices
from tests.standins.functions import BrokenError, Functions, ThrottledError


@pytest.fixture
def invoke(aws: AwsServices, monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[str]]:
    """Run the step with a function that Lambda knows as `migrate`."""

    def invoke_function(function: Callable[..., Any], name: str = "migrate") -> list[str]:
        with Functions(aws.port, migrate=function) as functions:
            monkeypatch.setenv("AWS_ENDPOINT_URL_LAMBDA", functions.url)
            session = boto3.Session(aws_access_key_id="local", aws_secret_access_key="local", region_name=REGION)
            return migrate(Environment("dev", ACCOUNT, REGION, session), name)

    return invoke_function


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
    monkeypatch.setattr("deploy.migrate.WAIT_SECONDS", 0.3)
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
    monkeypatch.setattr("deploy.migrate.WAIT_SECONDS", 0.05)
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


def test_second_run_beside_another_one_is_refused(invoke: Callable[..., list[str]]) -> None:
    def throttle(*_: Any) -> None:
        raise ThrottledError

    with pytest.raises(DeployError, match="migrate is running already, or the account's quota is used up: run `python"):
        invoke(throttle)


def test_missing_function_is_named(invoke: Callable[..., list[str]]) -> None:
    with pytest.raises(DeployError, match="there is no function other with an alias live: apply the plan first"):
        invoke(lambda *_: {"applied": []}, "other")
