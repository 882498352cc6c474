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
from tests.bundles import Registry
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
def object_store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ObjectStore]:
    """S3, shared by the whole run."""
    [port] = find_free_ports(1)
    with ObjectStore(tmp_path_factory.mktemp("s3") / "object-store.log", port) as store:
        yield store


@pytest.fixture(scope="session")
def environment(
    object_store: ObjectStore, bundle: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[str, str]]:
    """The service's environment, with the schema in place and the trained model promoted.

    Its database is shared by the whole run: whoever breaks one starts their own.
    """
    http_port, database_port = find_free_ports(2)
    with Postgres(tmp_path_factory.mktemp("stack") / "postgres", database_port) as postgres:
        yield prepare_service(Stack(http_port, postgres, object_store), bundle)


def prepare_service(stack: Stack, bundle: Path) -> dict[str, str]:
    """Create the table, publish and promote the model, and return the service's environment."""
    values = build_service_environment(stack)
    settings = Settings.from_env(values)
    database = Database(settings)
    database.run_transaction(apply_migrations)
    database.close()
    client = connect_s3(stack.object_store)
    promote_version(client, settings.model_bucket, publish_bundle(client, settings.model_bucket, bundle))
    return values


@pytest.fixture
def settings(environment: dict[str, str]) -> Settings:
    return Settings.from_env(environment)


@pytest.fixture
def connect(object_store: ObjectStore) -> "Callable[[], S3Client]":
    """Another person's client of the same S3."""
    return lambda: connect_s3(object_store)


@pytest.fixture
def client(connect: "Callable[[], S3Client]") -> "S3Client":
    return connect()


@pytest.fixture
def bucket(client: "S3Client") -> str:
    """An empty bucket beside the promoted one."""
    name = f"test-{uuid4()}"
    client.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    return name


@pytest.fixture
def registry(client: "S3Client", bucket: str, bundle: Path) -> Registry:
    """The promoted model in a bucket of its own."""
    return Registry(client, bucket, bundle)


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


def connect_s3(store: ObjectStore) -> "S3Client":
    return boto3.client(
        "s3",
        endpoint_url=store.endpoint_url,
        region_name="eu-west-1",
        aws_access_key_id="local",
        aws_secret_access_key="local",
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
