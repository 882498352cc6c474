"""The functions of the environment dev, run with the command and the variables that Terraform deployed."""

import dataclasses
import json
import os
import sys
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from botocore.exceptions import ClientError

from lambda_app.maintain import day_export
from lambda_app.maintain.parquet import make_schema
from lambda_app.maintain.tables import TABLES, ExportedTable
from lambda_app.project import API_ROLE, MAINTAIN_ROLE, METRICS_NAMESPACE, MONITOR_ROLE, PREFIX, REPLAY_ROLE
from lambda_app.settings import Settings
from local.aws_services import REGION, REPOSITORY
from local.emulator import Emulator
from local.poller import Polled, poll_once
from local.ports import find_free_ports
from tests.bundles import DECISION
from tests.events import load_event
from tests.queues import count_messages
from tests.terraform.applied import Applied, list_resources
from training.history import entry_key
from training.history_check import read_history
from training.promotion import promote_version
from training.registry import publish_bundle

DATABASE_USERS = {
    "api": API_ROLE,
    "replay": REPLAY_ROLE,
    "migrate": f"{PREFIX}_owner",
    "maintain": MAINTAIN_ROLE,
    "monitor": MONITOR_ROLE,
}
FUNCTIONS = tuple(DATABASE_USERS)
# The database of these tests is another one, without a proxy that takes tokens and without TLS.
DATABASE = ("DATABASE_HOST", "DATABASE_PORT", "DATABASE_PASSWORD", "DATABASE_TLS")
# Python does not start without these variables of the machine.
MACHINE = ("PATH", "HOME", "LANG", "LD_LIBRARY_PATH")

# Without a password, connections use IAM tokens. AWS_ENDPOINT_URL is for servers other than AWS. Lambda sets the rest.
NOT_SET = {
    "DATABASE_PASSWORD",
    "AWS_ENDPOINT_URL",
    "AWS_LAMBDA_LOG_STREAM_NAME",
    "AWS_REGION",
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
}

# The types of exported files, and what Athena calls them.
ATHENA_TYPES = {
    "string": "string",
    "double": "double",
    "float": "float",
    "int16": "smallint",
    "int32": "int",
    "int64": "bigint",
    "timestamp[us, tz=UTC]": "timestamp",
}

# Settings of other functions.
OF_RECORDS = {"RECORDS_BUCKET", "RETENTION_MONTHS", "DATABASE_STORAGE_GB"}
OF_MONITOR = {"MONITOR_WINDOW_DAYS", "COVERAGE_TOLERANCE", "DRIFT_FALSE_ALARMS_PER_YEAR"}
NOT_NEEDED = {
    "api": {"ROLE_SECRET_ARNS", *OF_RECORDS, *OF_MONITOR},
    "replay": {"ROLE_SECRET_ARNS", *OF_RECORDS, *OF_MONITOR},
    "migrate": {*OF_RECORDS, *OF_MONITOR},
    "maintain": {"ROLE_SECRET_ARNS", "MODEL_BUCKET", *OF_MONITOR},
    "monitor": {"ROLE_SECRET_ARNS", *OF_RECORDS},
}

# Lambda gives these to every function itself.
OF_LAMBDA = {"AWS_REGION": "eu-west-1", "AWS_ACCESS_KEY_ID": "any", "AWS_SECRET_ACCESS_KEY": "any"}

Start = Callable[..., Emulator]
Query = Callable[..., list[Any]]


def read_configuration(applied: Applied, function: str) -> dict[str, Any]:
    """Return the configuration of the version that is live."""
    name = applied.outputs["function_names"][function]
    configuration: dict[str, Any] = applied.client("lambda").get_function_configuration(
        FunctionName=name, Qualifier="live"
    )
    return configuration


@pytest.fixture(scope="module")
def published(applied: Applied, bundle: Path) -> str:
    """Publish the model to the bucket that Terraform made, and return its version."""
    client, bucket = applied.client("s3"), applied.outputs["model_bucket_name"]
    version, _ = publish_bundle(client, bucket, bundle)
    promote_version(client, bucket, version, DECISION)
    assert read_history(client, bucket).faults == []
    # Nobody replaces or deletes what was written down, the administrator included.
    for change in (partial(client.put_object, Body=b"{}"), client.delete_object):
        with pytest.raises(ClientError, match=r"\((AccessDenied|403)\)"):
            change(Bucket=bucket, Key=entry_key(1))
    return version


@pytest.fixture
def start(
    applied: Applied, published: str, emulator_path: Path, environment: dict[str, str], tmp_path: Path
) -> Iterator[Start]:
    """Start a function by its deployed command with its deployed variables. Only the database is another."""
    started: list[Emulator] = []

    def start_function(function: str, **changed: str) -> Emulator:
        configuration = read_configuration(applied, function)
        machine = {name: os.environ[name] for name in MACHINE if name in os.environ}
        # Lambda itself sets most of these; the rest lead to the emulated AWS.
        platform = {
            "AWS_LAMBDA_FUNCTION_NAME": configuration["FunctionName"],
            "AWS_LAMBDA_FUNCTION_TIMEOUT": str(configuration["Timeout"]),
            "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(configuration["MemorySize"]),
            "AWS_REGION": REGION,
            "AWS_DEFAULT_REGION": REGION,
            "AWS_ACCESS_KEY_ID": "local",
            "AWS_SECRET_ACCESS_KEY": "local",
            "AWS_ENDPOINT_URL": applied.endpoint_url,
            "PYTHONPATH": str(REPOSITORY),
        }
        database = {name: environment[name] for name in DATABASE}
        deployed = configuration["Environment"]["Variables"]
        emulator = Emulator(
            emulator_path,
            [sys.executable, "-m", "awslambdaric", *configuration["ImageConfigResponse"]["ImageConfig"]["Command"]],
            {**machine, **platform, **deployed, **database, **changed},
            find_free_ports(2),
            tmp_path / f"emulator-{len(started)}.log",
        )
        started.append(emulator)
        return emulator

    yield start_function
    for emulator in started:
        emulator.stop()


@pytest.mark.parametrize("function", FUNCTIONS)
def test_deployed_environment_names_what_was_made(applied: Applied, function: str) -> None:
    resources = list_resources(applied.state["values"])
    variables = read_configuration(applied, function)["Environment"]["Variables"]
    settings = Settings.from_env({**variables, **OF_LAMBDA})
    assert settings.database_password is None
    assert settings.database_tls == "verify"
    assert settings.database_user == DATABASE_USERS[function]
    assert settings.metrics_namespace == METRICS_NAMESPACE
    is_maintain = function == "maintain"
    assert settings.model_bucket == ("" if is_maintain else applied.outputs["model_bucket_name"])
    assert settings.records_bucket == (applied.outputs["records_bucket_name"] if is_maintain else "")
    assert (settings.retention_months, settings.idempotency_days) == (3 if is_maintain else None, 30)
    assert settings.queue_url == applied.outputs["queue_url"]
    assert settings.dead_letter_queue_url == applied.outputs["dead_letter_queue_url"]
    assert settings.database_host == resources["module.environment.module.database.aws_db_proxy.this"]["endpoint"]
    assert settings.database_name == resources["module.environment.module.database.aws_db_instance.this"]["db_name"]
    assert settings.database_port == resources["module.environment.module.database.aws_db_instance.this"]["port"]
    # Terraform sets every setting, so that none rests on a default.
    known = {field.name.upper() for field in dataclasses.fields(Settings)}
    assert known - set(variables) == (NOT_SET | NOT_NEEDED[function]) & known


@pytest.mark.parametrize("table", TABLES.values(), ids=TABLES)
def test_table_of_queries_has_the_columns_of_the_exported_files(
    table: ExportedTable, applied: Applied, query: Query
) -> None:
    resource = f"module.environment.module.records.aws_glue_catalog_table.{table.name}"
    descriptor = list_resources(applied.state["values"])[resource]["storage_descriptor"][0]
    declared = {column["name"]: column["type"] for column in descriptor["columns"]}
    columns = dict(query(day_export._LIST_COLUMNS, table=table.name))
    columns = {name: columns[name] for name in columns.keys() - table.hidden_columns - {table.path_column}}
    assert declared == {field.name: ATHENA_TYPES[str(field.type)] for field in make_schema(columns)}


def test_prediction_is_stored_and_measured_where_the_alarms_look(
    applied: Applied, published: str, start: Start, query: Query
) -> None:
    api = start("api")
    body = json.loads(api.invoke(load_event("predict"))["body"])
    assert body["model_version"] == published
    rows = query("SELECT prediction FROM predictions WHERE request_id = :id", id=UUID(body["request_id"]))
    assert rows == [[body["prediction"]]]
    measured = _read_metrics(api)
    namespace, dimensions = METRICS_NAMESPACE, (("service", f"{PREFIX}-dev"),)
    assert measured[namespace, "ServerErrors", dimensions] == [0.0]
    alarms = applied.client("cloudwatch").describe_alarms()["MetricAlarms"]
    [alarm] = [alarm for alarm in alarms if alarm.get("MetricName") == "ServerErrors"]
    watched = tuple((dimension["Name"], dimension["Value"]) for dimension in alarm["Dimensions"])
    assert (alarm["Namespace"], watched) == (namespace, dimensions)
    assert {namespace for namespace, _, _ in measured} == {namespace}


def test_record_goes_by_the_deployed_queue_while_the_database_is_away(
    applied: Applied, start: Start, query: Query
) -> None:
    sqs, url = applied.client("sqs"), applied.outputs["queue_url"]
    # Nobody can listen there.
    api = start("api", DATABASE_PORT="1")
    answer = api.invoke(load_event("predict"))
    assert answer["statusCode"] == 200
    body = json.loads(answer["body"])
    assert count_messages(sqs, url) == 1
    assert _read_metrics(api)[METRICS_NAMESPACE, "RecordsToQueue", (("service", f"{PREFIX}-dev"),)] == [1.0]
    stored = {"id": UUID(body["request_id"])}
    assert query("SELECT prediction FROM predictions WHERE request_id = :id", **stored) == []
    replay = start("replay")
    assert poll_once(sqs, url, lambda event, _: replay.invoke(event)) == Polled(1, 0)
    rows = query("SELECT prediction FROM predictions WHERE request_id = :id", **stored)
    assert rows == [[body["prediction"]]]
    assert count_messages(sqs, url) == count_messages(sqs, applied.outputs["dead_letter_queue_url"]) == 0


def _read_metrics(emulator: Emulator) -> dict[tuple[str, str, tuple[tuple[str, str], ...]], list[float]]:
    """Return the values that the function's log sends to CloudWatch, by namespace, name and dimensions."""
    return {
        (directive["Namespace"], metric["Name"], tuple((name, line[name]) for name in names)): line[metric["Name"]]
        for line in emulator.read_lines()
        if "_aws" in line
        for directive in line["_aws"]["CloudWatchMetrics"]
        for metric in directive["Metrics"]
        for names in directive["Dimensions"]
    }
