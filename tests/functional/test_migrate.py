"""The migrate function: schema and passwords come together, and passwords follow the secrets."""

import dataclasses
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import uuid4

import boto3
import pg8000.native
import pytest

from lambda_app.log.database import Database
from lambda_app.log.roles import RoleSecretError
from lambda_app.settings import Settings
from lambda_app.telemetry import LambdaHandler
from local.aws_services import REGION, AwsServices
from local.ports import find_free_ports
from local.postgres import Postgres
from tests.conftest import connect_database
from tests.events import Context

if TYPE_CHECKING:
    from types_boto3_secretsmanager import SecretsManagerClient

INVALID_PASSWORD = "28P01"


@pytest.fixture
def secrets(aws: AwsServices) -> "SecretsManagerClient":
    return boto3.client(
        "secretsmanager",
        endpoint_url=aws.endpoint_url,
        region_name=REGION,
        aws_access_key_id="local",
        aws_secret_access_key="local",
    )


def put_role(secrets: "SecretsManagerClient", role: str, password: str) -> str:
    document = json.dumps({"username": role, "password": password})
    return secrets.create_secret(Name=f"{role}-{uuid4()}", SecretString=document)["ARN"]


def can_log_in(settings: Settings, user: str, password: str) -> bool:
    database = Database(dataclasses.replace(settings, database_user=user, database_password=password))
    try:
        database.run_transaction(lambda connection: connection.run("SELECT 1"))
    except pg8000.native.DatabaseError as error:
        if error.args[0]["C"] != INVALID_PASSWORD:
            raise
        return False
    else:
        return True
    finally:
        database.close()


@pytest.fixture
def migrate(wire: Callable[..., LambdaHandler], fresh: Settings) -> Callable[[list[str]], object]:
    """The function as deployed to an empty database, with these secrets."""

    def invoke(secret_arns: list[str]) -> object:
        function = wire(
            "migrate",
            DATABASE_PORT=str(fresh.database_port),
            DATABASE_USER=fresh.database_user,
            DATABASE_NAME=fresh.database_name,
            ROLE_SECRET_ARNS=",".join(secret_arns),
        )
        return function({}, Context())

    return invoke


@pytest.fixture
def fresh(tmp_path: Path, settings: Settings) -> Iterator[Settings]:
    """Those of RDS's master user, who is no superuser, for an empty database."""
    [port] = find_free_ports(1)
    with Postgres(tmp_path / "postgres", port) as postgres:
        as_superuser = dataclasses.replace(settings, database_port=port, database_user=postgres.login.user)
        superuser = connect_database(as_superuser)
        superuser.run("CREATE ROLE master LOGIN CREATEDB CREATEROLE PASSWORD 'local'")
        superuser.run("CREATE DATABASE served OWNER master")
        superuser.close()
        yield dataclasses.replace(as_superuser, database_user="master", database_name="served")


def test_roles_log_in_with_what_the_secrets_hold(
    secrets: "SecretsManagerClient", migrate: Callable[[list[str]], object], fresh: Settings
) -> None:
    arns = [put_role(secrets, "diabetes_api", "first'\\"), put_role(secrets, "diabetes_replay", "other")]
    answer = migrate(arns)
    assert isinstance(answer, dict)
    assert answer["applied"]
    assert can_log_in(fresh, "diabetes_api", "first'\\")
    assert can_log_in(fresh, "diabetes_replay", "other")
    assert not can_log_in(fresh, "diabetes_api", "other")

    document = json.dumps({"username": "diabetes_api", "password": "second"})
    secrets.put_secret_value(SecretId=arns[0], SecretString=document)
    assert migrate(arns) == {"applied": []}
    assert can_log_in(fresh, "diabetes_api", "second")
    assert not can_log_in(fresh, "diabetes_api", "first'\\")
    assert can_log_in(fresh, "diabetes_replay", "other")


@pytest.mark.parametrize("content", ["hunter2", "[]", '"hunter2"', '{"username": "diabetes_api"}', "{}"])
def test_secret_that_is_not_a_roles_stops_everything_and_is_not_quoted(
    content: str, secrets: "SecretsManagerClient", migrate: Callable[[list[str]], object], fresh: Settings
) -> None:
    arn = secrets.create_secret(Name=str(uuid4()), SecretString=content)["ARN"]
    with pytest.raises(RoleSecretError) as caught:
        migrate([arn])
    assert str(caught.value) == f"{arn} must hold a JSON object with username and password"
    assert tables(fresh) == []


def test_role_that_is_not_there_undoes_the_migration(
    secrets: "SecretsManagerClient", migrate: Callable[[list[str]], object], fresh: Settings
) -> None:
    with pytest.raises(pg8000.native.DatabaseError, match="nobody"):
        migrate([put_role(secrets, "nobody", "secret")])
    assert tables(fresh) == []


def tables(settings: Settings) -> list[str]:
    connection = connect_database(settings)
    rows = connection.run("SELECT tablename FROM pg_tables WHERE schemaname = 'public'") or []
    connection.close()
    return [name for [name] in rows]
