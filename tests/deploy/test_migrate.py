"""The step `migrate`: it reports the function's answer."""

from collections.abc import Callable
from typing import Any

import boto3
import pytest

from deploy.environment import Environment
from deploy.errors import DeployError
from deploy.migrate import migrate
from lambda_app.log.migrations import MigrationError
from local.aws_services import ACCOUNT, REGION, AwsServices
from tests.standins.functions import Functions


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


def test_missing_function_is_named(invoke: Callable[..., list[str]]) -> None:
    with pytest.raises(DeployError, match="there is no function other with an alias live: apply the plan first"):
        invoke(lambda *_: {"applied": []}, "other")
