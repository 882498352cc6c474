"""What most tests stand on: real PostgreSQL, S3 by moto's server, one trained model, published and promoted."""

import io
import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import boto3
import pg8000.native
import pytest
from rich.console import Console

import lambda_app.handler
from lambda_app.log.database import Database
from lambda_app.log.migrations import apply_migrations
from lambda_app.settings import Settings
from lambda_app.telemetry import LambdaHandler
from local.environment import build_service_environment
from local.object_store import ObjectStore
from local.ports import find_free_ports
from local.postgres import Postgres
from local.stack import Stack
from training.registry import promote_version, publish_bundle
from training.train import train_model

if TYPE_CHECKING:
    from types_boto3_s3 import S3Client


@pytest.fixture(autouse=True)
def _no_aws_of_the_developer(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("AWS_") or name == "MODEL_BUCKET"]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", os.devnull)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")


@pytest.fixture(scope="session")
def training_output() -> io.StringIO:
    """What the training of `bundle` printed."""
    return io.StringIO()


@pytest.fixture(scope="session")
def bundle(tmp_path_factory: pytest.TempPathFactory, training_output: io.StringIO) -> Path:
    """The directory of a model trained to the end with seed 1. Not to be changed."""
    return train_model(tmp_path_factory.mktemp("models"), seed=1, console=Console(file=training_output))


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """Both servers, shared by the whole run: whoever breaks one starts their own."""
    directory = tmp_path_factory.mktemp("stack")
    http_port, database_port, s3_port = find_free_ports(3)
    with (
        Postgres(directory / "postgres", database_port) as postgres,
        ObjectStore(directory / "object-store.log", s3_port) as object_store,
    ):
        yield Stack(http_port, postgres, object_store)


@pytest.fixture(scope="session")
def environment(stack: Stack, bundle: Path) -> dict[str, str]:
    """The service's environment, with the schema in place and the trained model promoted."""
    return prepare_service(stack, bundle)


def prepare_service(stack: Stack, bundle: Path) -> dict[str, str]:
    """Create the table, publish and promote the model, and return the service's environment."""
    values = build_service_environment(stack)
    settings = Settings.from_env(values)
    database = Database(settings)
    database.run_transaction(apply_migrations)
    database.close()
    client = connect_s3(values)
    promote_version(client, settings.model_bucket, publish_bundle(client, settings.model_bucket, bundle))
    return values


@pytest.fixture
def settings(environment: dict[str, str]) -> Settings:
    return Settings.from_env(environment)


@pytest.fixture
def s3(environment: dict[str, str]) -> "S3Client":
    return connect_s3(environment)


@pytest.fixture
def new_bucket(s3: "S3Client") -> str:
    """An empty bucket beside the promoted one."""
    name = f"test-{uuid4()}"
    s3.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    return name


@pytest.fixture
def wire(environment: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> Callable[..., LambdaHandler]:
    """Wire a function of the handler afresh, as a new execution environment does, with some variables changed."""

    def wire_function(name: str = "api", **changed: str) -> LambdaHandler:
        # Powertools keeps a logger, with its stream and level, for each service name of the process.
        fresh = {"SERVICE_NAME": f"diabetes-{uuid4()}"}
        for variable, value in {**fresh, **environment, **changed}.items():
            monkeypatch.setenv(variable, value)
        vars(lambda_app.handler).pop(name, None)
        handler: LambdaHandler = getattr(lambda_app.handler, name)
        return handler

    return wire_function


@pytest.fixture
def api(wire: Callable[..., LambdaHandler]) -> LambdaHandler:
    return wire()


@pytest.fixture
def query(settings: Settings) -> Iterator[Callable[..., list[Any]]]:
    """Ask the database directly."""
    connection = connect_database(settings)
    yield connection.run
    connection.close()


@pytest.fixture(scope="session")
def manifest(bundle: Path) -> dict[str, Any]:
    document: dict[str, Any] = json.loads((bundle / "manifest.json").read_bytes())
    return document


def connect_s3(environment: dict[str, str]) -> "S3Client":
    return boto3.client(
        "s3",
        endpoint_url=environment["AWS_ENDPOINT_URL"],
        region_name=environment["AWS_DEFAULT_REGION"],
        aws_access_key_id=environment["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=environment["AWS_SECRET_ACCESS_KEY"],
    )


def connect_database(settings: Settings) -> pg8000.native.Connection:
    return pg8000.native.Connection(
        settings.database_user,
        host=settings.database_host,
        port=settings.database_port,
        database=settings.database_name,
        password=settings.database_password,
        timeout=10,
    )
