"""What a deployer is told of a migration, by the function's answer alone."""

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


def invoke(function: Callable[..., Any], aws: AwsServices, monkeypatch: pytest.MonkeyPatch, name: str) -> list[str]:
    with Functions(aws.port, migrate=function) as functions:
        monkeypatch.setenv("AWS_ENDPOINT_URL_LAMBDA", functions.url)
        session = boto3.Session(aws_access_key_id="local", aws_secret_access_key="local", region_name=REGION)
        return migrate(Environment("dev", ACCOUNT, REGION, session), name)


def test_the_migrations_that_were_applied_are_named(aws: AwsServices, monkeypatch: pytest.MonkeyPatch) -> None:
    assert invoke(lambda *_: {"applied": ["0001.sql"]}, aws, monkeypatch, "migrate") == ["0001.sql"]


def test_a_reason_of_ours_is_told_whole(aws: AwsServices, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: Any) -> None:
        raise MigrationError("the database is ahead of this code: it has 0009.sql")

    with pytest.raises(DeployError, match="MigrationError: the database is ahead of this code: it has 0009"):
        invoke(fail, aws, monkeypatch, "migrate")


def test_a_function_that_is_not_there_is_named(aws: AwsServices, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(DeployError, match="there is no function other with an alias live: apply the plan first"):
        invoke(lambda *_: {"applied": []}, aws, monkeypatch, "other")
