"""The shared fixtures: real PostgreSQL, S3 and SQS by moto's server, one trained model, published and promoted."""

import dataclasses
import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pg8000.native
import pytest
from xdist.remote import Producer
from xdist.scheduler import LoadScopeScheduling

import lambda_app.handler
from lambda_app.log.database import Database
from lambda_app.settings import Settings
from lambda_app.telemetry import LambdaHandler
from local.aws_client import connect_aws
from local.aws_services import REPOSITORY, AwsServices
from local.cluster import PASSWORD
from local.emulator import find_emulator
from local.environment import DATABASE_USERS, Function
from local.ports import find_free_ports
from local.postgres import USER, Postgres
from local.seed import migrate_database, prepare_service
from local.stack import Stack
from tests.bundles import Registry
from tests.machine import require
from tests.queues import QueuePair, create_queue_pair
from tests.trained import find_or_train

if TYPE_CHECKING:
    from types_boto3_s3 import S3Client
    from types_boto3_sqs import SQSClient

# What a script starts in the background ignores Ctrl-C, and so would all that these tests start and interrupt.
signal.signal(signal.SIGINT, signal.default_int_handler)


# The group of tests that share plans, an applied environment or images, by the start of their path. They take longest.
GROUPS = {
    "tests/terraform/": "terraform",
    "tests/end_to_end/test_compose.py": "containers",
    "tests/end_to_end/test_image.py": "containers",
}


@pytest.fixture(autouse=True)
def _no_aws_of_the_developer(monkeypatch: pytest.MonkeyPatch) -> None:
    theirs = re.compile(r"AWS_.*|MODEL_(BUCKET|SIGNING_KEY)|.*_proxy", re.IGNORECASE)
    for name in [name for name in os.environ if theirs.fullmatch(name)]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", os.devnull)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")


@pytest.fixture(scope="session")
def bundle() -> Path:
    """The directory of a model trained to the end with seed 1. Not to be changed."""
    return find_or_train().bundle


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the longest, so that no worker is left alone with them at the end."""
    items.sort(key=lambda item: not item.nodeid.startswith(tuple(GROUPS)))


def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> "Scheduler":
    return Scheduler(config, log)


class Scheduler(LoadScopeScheduling):  # type: ignore[misc] # xdist has no types
    """Gives each file, and each group of files, to one worker."""

    def _split_scope(self, nodeid: str) -> str:
        path = nodeid.partition("::")[0]
        return next((group for start, group in GROUPS.items() if path.startswith(start)), path)


@pytest.fixture(scope="session")
def aws(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AwsServices]:
    """S3 and SQS, shared by the whole run."""
    [port] = find_free_ports(1)
    with AwsServices(tmp_path_factory.mktemp("aws") / "aws.log", port) as aws:
        yield aws


@pytest.fixture(scope="session")
def environment(aws: AwsServices, bundle: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """The api's environment, with the schema in place and the trained model promoted.

    Its database and queues are shared by the whole run: whoever breaks one starts their own, and whoever fills or
    empties a queue has `own_queues`.
    """
    http_port, database_port = find_free_ports(2)
    with Postgres(tmp_path_factory.mktemp("stack") / "postgres", database_port) as postgres:
        yield prepare_service(Stack(http_port, postgres, aws), bundle)


@pytest.fixture
def settings(environment: dict[str, str]) -> Settings:
    """The api's."""
    return Settings.from_env(environment)


@pytest.fixture
def admin_settings(settings: Settings) -> Settings:
    """Those of the superuser, for tests that migrate or make tables."""
    return dataclasses.replace(settings, database_user=USER)


@pytest.fixture
def database(settings: Settings) -> Iterator[Database]:
    database = Database(settings)
    yield database
    database.close()


@pytest.fixture
def own_postgres(tmp_path: Path, settings: Settings) -> Iterator[tuple[Postgres, Settings]]:
    """A server that the test may break, with the schema in place, and the api's settings for it."""
    [port] = find_free_ports(1)
    with Postgres(tmp_path / "postgres", port) as postgres:
        own = dataclasses.replace(settings, database_port=port)
        migrate_database(postgres, dataclasses.replace(own, database_user=USER))
        yield postgres, own


@pytest.fixture
def connect(aws: AwsServices) -> "Callable[[], S3Client]":
    """Another person's client of the same S3."""
    return lambda: connect_aws("s3", aws.endpoint_url)


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
def sqs(aws: AwsServices) -> "SQSClient":
    client: SQSClient = connect_aws("sqs", aws.endpoint_url)
    return client


@pytest.fixture
def own_queues(sqs: "SQSClient") -> QueuePair:
    """A queue pair that no other test's messages are in: `wire(**own_queues.environment)`."""
    return create_queue_pair(sqs)


@pytest.fixture
def registry(client: "S3Client", bucket: str, bundle: Path) -> Registry:
    """The promoted model in a bucket of its own."""
    return Registry(client, bucket, bundle)


@pytest.fixture
def wire(environment: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., LambdaHandler]]:
    """Wire a function of the handler afresh, as a new execution environment does, with some variables changed."""
    databases: list[Database] = []

    # An environment's connection ends with it; here it would stay open until PostgreSQL takes no more.
    def open_database(*arguments: Any, **limits: Any) -> Database:
        databases.append(Database(*arguments, **limits))
        return databases[-1]

    monkeypatch.setattr("lambda_app.handler.Database", open_database)

    def wire_function(name: Function = "api", **changed: str) -> LambdaHandler:
        # Powertools keeps a logger, with its stream and level, for each service name of the process.
        own = {"SERVICE_NAME": f"diabetes-{uuid4()}", "DATABASE_USER": DATABASE_USERS[name]}
        for variable, value in {**environment, **own, **changed}.items():
            monkeypatch.setenv(variable, value)
        vars(lambda_app.handler).pop(name, None)
        handler: LambdaHandler = getattr(lambda_app.handler, name)
        return handler

    yield wire_function
    for database in databases:
        database.close()


@pytest.fixture
def api(wire: Callable[..., LambdaHandler]) -> LambdaHandler:
    return wire()


@pytest.fixture
def query(settings: Settings) -> Iterator[Callable[..., list[Any]]]:
    """Ask the database directly, as its superuser."""
    connection = connect_database(settings)
    yield connection.run
    connection.close()


@pytest.fixture(scope="session")
def sam_venv() -> Path:
    """The environment of the locked aws-sam-cli, made once and again when the lock changes."""
    done = subprocess.run(["make", "sam"], cwd=REPOSITORY, capture_output=True, text=True, check=False)
    require(done.returncode == 0, f"aws-sam-cli ({done.stderr.strip()})")
    return REPOSITORY / "build" / "sam"


@pytest.fixture(scope="session")
def emulator_path(sam_venv: Path) -> Path:
    require(sys.platform == "linux", "Linux, for which the Runtime Interface Emulator is built")
    return find_emulator(sam_venv)


@pytest.fixture(scope="session")
def manifest(bundle: Path) -> dict[str, Any]:
    document: dict[str, Any] = json.loads((bundle / "manifest.json").read_bytes())
    return document


def connect_database(settings: Settings) -> pg8000.native.Connection:
    """A superuser's connection to the database of these settings: tests look at and break what no function may."""
    return pg8000.native.Connection(
        USER,
        host=settings.database_host,
        port=settings.database_port,
        database=settings.database_name,
        password=PASSWORD,
        timeout=10,
    )
