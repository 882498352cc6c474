"""The migrate function: schema and passwords come together, and passwords follow the secrets."""

import contextlib
import dataclasses
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pg8000.native
import pytest

from lambda_app.log.database import Database
from lambda_app.log.roles import RoleSecretError
from lambda_app.settings import Settings
from local.aws_client import connect_aws
from local.aws_services import AwsServices
from local.ports import find_free_ports
from local.postgres import Postgres
from tests.conftest import connect_database
from tests.events import Context
from tests.functional.helpers import Wire

if TYPE_CHECKING:
    from types_boto3_secretsmanager import SecretsManagerClient

INVALID_PASSWORD = "28P01"

Migrate = Callable[..., Any]


@pytest.fixture
def secrets(aws: AwsServices) -> "SecretsManagerClient":
    client: SecretsManagerClient = connect_aws("secretsmanager", aws.endpoint_url)
    return client


@pytest.fixture
def fresh(tmp_path: Path, settings: Settings) -> Iterator[Settings]:
    """Settings of RDS's master user, who is no superuser, for an empty database."""
    [port] = find_free_ports(1)
    with Postgres(tmp_path / "postgres", port) as postgres:
        as_superuser = dataclasses.replace(settings, database_port=port, database_user=postgres.login.user)
        with contextlib.closing(connect_database(as_superuser)) as superuser:
            superuser.run("CREATE ROLE master LOGIN CREATEDB CREATEROLE PASSWORD 'local'")
            superuser.run("CREATE DATABASE served OWNER master")
        yield dataclasses.replace(as_superuser, database_user="master", database_name="served")


@pytest.fixture
def migrate(wire: Wire, fresh: Settings) -> Migrate:
    """Invoke the function with these secrets."""

    def invoke(*secret_arns: str) -> Any:
        function = wire(
            "migrate",
            DATABASE_PORT=str(fresh.database_port),
            DATABASE_USER=fresh.database_user,
            DATABASE_NAME=fresh.database_name,
            ROLE_SECRET_ARNS=",".join(secret_arns),
        )
        return function({}, Context())

    return invoke


def make_document(role: str, password: str) -> str:
    return json.dumps({"username": role, "password": password})


def create_secret(secrets: "SecretsManagerClient", content: str) -> str:
    return secrets.create_secret(Name=str(uuid4()), SecretString=content)["ARN"]


def can_log_in(settings: Settings, user: str, password: str) -> bool:
    login = dataclasses.replace(settings, database_user=user, database_password=password)
    try:
        with contextlib.closing(Database(login)) as database:
            database.run_transaction(lambda connection: connection.run("SELECT 1"))
    except pg8000.native.DatabaseError as error:
        if error.args[0]["C"] != INVALID_PASSWORD:
            raise
        return False
    return True


def count_tables(settings: Settings) -> int:
    with contextlib.closing(connect_database(settings)) as connection:
        [[count]] = connection.run("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'")
        return int(count)


def test_roles_log_in_with_the_passwords_in_the_secrets(
    secrets: "SecretsManagerClient", migrate: Migrate, fresh: Settings
) -> None:
    arns = [
        create_secret(secrets, make_document("diabetes_api", "first'\\")),
        create_secret(secrets, make_document("diabetes_replay", "other")),
    ]
    assert migrate(*arns)["applied"]
    assert can_log_in(fresh, "diabetes_api", "first'\\")
    assert can_log_in(fresh, "diabetes_replay", "other")
    assert not can_log_in(fresh, "diabetes_api", "other")

    secrets.put_secret_value(SecretId=arns[0], SecretString=make_document("diabetes_api", "second"))
    assert migrate(*arns) == {"applied": []}
    assert can_log_in(fresh, "diabetes_api", "second")
    assert not can_log_in(fresh, "diabetes_api", "first'\\")
    assert can_log_in(fresh, "diabetes_replay", "other")


def test_secret_that_is_not_a_role_s_stops_everything_and_is_not_quoted(
    secrets: "SecretsManagerClient", migrate: Migrate, fresh: Settings
) -> None:
    for content in ("hunter2", "[]", '"hunter2"', '{"username": "diabetes_api"}', "{}"):
        arn = create_secret(secrets, content)
        with pytest.raises(RoleSecretError) as caught:
            migrate(arn)
        assert str(caught.value) == f"{arn} must hold a JSON object with username and password"
    assert count_tables(fresh) == 0


def test_role_that_does_not_exist_undoes_the_migration(
    secrets: "SecretsManagerClient", migrate: Migrate, fresh: Settings
) -> None:
    with pytest.raises(pg8000.native.DatabaseError, match="nobody"):
        migrate(create_secret(secrets, make_document("nobody", "secret")))
    assert count_tables(fresh) == 0
