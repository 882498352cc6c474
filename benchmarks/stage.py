"""Starts everything around the functions: PostgreSQL, S3 and SQS of this machine, the newest model, their packages."""

import json
import os
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pg8000.native
from rich.console import Console

from benchmarks.candidate import serve_with_candidate
from benchmarks.function import Site
from benchmarks.packages import make_client, make_packages
from benchmarks.variant import FEATURES, ROOT, SHADOW_BUCKET, VARIANTS, Variant
from lambda_app.log.database import Database
from lambda_app.model.bundle import POINTER_KEY
from lambda_app.settings import Settings
from lambda_app.table import Kind
from local.aws_client import connect_aws
from local.environment import build_service_environment
from local.seed import prepare_service
from local.stack import Stack, running_stack
from problem.table import TABLE

EVENTS = ROOT / "events"

# Both tables are empty, and the known way has the usual one: what was asked, what was answered, and when.
_COLUMNS = ", ".join(f"{name}::double precision" for name in TABLE.names)
TABLES = (
    "TRUNCATE predictions",
    "DROP TABLE IF EXISTS known_predictions",
    f"CREATE TABLE known_predictions AS SELECT request_id, created_at, {_COLUMNS}, prediction FROM predictions",  # noqa: S608
    "ALTER TABLE known_predictions ADD PRIMARY KEY (request_id)",
)


@contextmanager
def running_stage(
    directory: Path, emulator: Path, bundle: Path, console: Console, variants: Sequence[Variant] = VARIANTS
) -> Iterator[list[Site]]:
    """Make and start all of it; data and logs are in `directory`, which one run at a time can have."""
    python = make_client()
    write_features(FEATURES)
    packages = {}
    for variant in variants:
        with console.status(f"Packages of {variant.name} (a minute when they are new)"):
            packages[variant.name] = make_packages(variant, python)
    directory.mkdir(parents=True, exist_ok=True)
    with running_stack(directory, http_port=0) as stack:
        environment = prepare_service(stack, bundle) | build_common_environment(bundle)
        prepare_tables(stack)
        s3 = connect_aws("s3", stack.aws.endpoint_url)
        serve_with_candidate(s3, SHADOW_BUCKET, bundle, directory)
        wake = partial(ask_servers, stack, s3)
        yield [
            Site(
                variant,
                emulator,
                python,
                packages[variant.name],
                build_environment(variant, environment, stack),
                directory / f"{variant.name}.log",
                wake,
            )
            for variant in variants
        ]


def write_features(path: Path) -> None:
    """The names of the features, with the limits as pydantic's `Field` takes them, or the choices."""
    features = []
    for feature in TABLE.features:
        limits = {} if feature.choices else {"ge": feature.minimum, "le": feature.maximum}
        if feature.kind is Kind.INTEGER:
            limits["multiple_of"] = 1
        features.append({"name": feature.name, "limits": limits, "choices": list(feature.choices)})
    path.write_text(json.dumps(features), encoding="utf-8")


def build_common_environment(bundle: Path) -> dict[str, str]:
    """The variables that Lambda and the image set, and the place of the usual way's model."""
    return {
        "PATH": os.environ.get("PATH", os.defpath),
        "LANG": "en_US.UTF-8",
        # As the image.
        "PYTHONDONTWRITEBYTECODE": "1",
        "MODEL_PREFIX": f"models/{bundle.name}/",
        "AWS_EC2_METADATA_DISABLED": "true",
    }


def build_environment(variant: Variant, environment: dict[str, str], stack: Stack) -> dict[str, str]:
    """Nothing of the environment of whoever runs this, so that no PYTHON… or AWS_… of theirs takes part."""
    # The known way's table is none of the service's roles'.
    user = {} if variant.is_service else {"DATABASE_USER": stack.postgres.login.user}
    return environment | dict(variant.settings) | user


def prepare_tables(stack: Stack) -> None:
    def work(connection: pg8000.native.Connection) -> None:
        for statement in TABLES:
            connection.run(statement)

    with closing(Database(Settings.from_env(build_service_environment(stack, "migrate")))) as database:
        database.run_transaction(work)


def ask_servers(stack: Stack, s3: Any) -> None:
    """Read the pointer to the current model from S3, and an empty result from a new connection to PostgreSQL."""
    s3.get_object(Bucket=stack.aws.bucket, Key=POINTER_KEY)["Body"].read()
    login = stack.postgres.login
    options = {"host": login.host, "port": login.port, "database": login.database, "password": login.password}
    with closing(pg8000.native.Connection(login.user, **options)) as connection:
        connection.run("SELECT FROM predictions LIMIT 0")


def load_event(name: str) -> dict[str, Any]:
    """A sample event, as API Gateway sends it."""
    event: dict[str, Any] = json.loads((EVENTS / f"{name}.json").read_text(encoding="utf-8"))
    return event
