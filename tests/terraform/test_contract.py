"""Facts on which Terraform and the code must agree: environment variables, metrics, runbooks, the keep-warm request."""

import dataclasses
import json
import re
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from lambda_app.settings import Settings
from lambda_app.telemetry import LambdaHandler, Telemetry
from tests.events import Context, invoke
from tests.terraform.program import SOURCES
from tests.terraform.rendered import (
    NOT_SET,
    OF_LAMBDA,
    Message,
    Resources,
    list_alarms,
    list_own_alarms,
    read_resources,
)

ROOT = Path(__file__).parents[2]


# Of a metric of the service: its name, and the names of its dimensions.
Metric = tuple[str, frozenset[str]]


@pytest.fixture(scope="session")
def service(module_tests: dict[str, Future[list[Message]]]) -> Resources:
    """The resources of the module service."""
    return read_resources(module_tests["modules/service"].result(), "functions")


@pytest.fixture
def emitted(settings: Settings, capsys: pytest.CaptureFixture[str]) -> set[Metric]:
    """Every metric that the code sends to CloudWatch."""
    # Powertools keeps a logger, with its stream and level, for each service name of the process.
    telemetry = Telemetry(dataclasses.replace(settings, service_name=f"contract-{uuid4()}"), emit_emf=True)

    def handler(_event: dict[str, Any], _context: Any) -> None:
        telemetry.request_finished("id", "GET", "/", 200, 0.01)
        telemetry.predictions_recorded("version", "database", [151.0] * 100)
        telemetry.predictions_recorded("version", "queue", [151.0])
        telemetry.database_failed("reason")
        telemetry.records_replayed(1)
        telemetry.replay_failed("id", "reason")
        telemetry.message_dead_lettered("id", "reason")
        telemetry.model_load_failed("reason")

    # Powertools tells a cold start once in a process, of which other tests are part.
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("aws_lambda_powertools.metrics.provider.cold_start.is_cold_start", True)
        telemetry.wrap_handler(handler)({}, Context())
    directives = [
        directive
        for line in capsys.readouterr().out.splitlines()
        if "_aws" in (document := json.loads(line))
        for directive in document["_aws"]["CloudWatchMetrics"]
    ]
    assert directives
    return {
        (metric["Name"], frozenset(dimensions))
        for directive in directives
        for metric in directive["Metrics"]
        for dimensions in directive["Dimensions"]
    }


@pytest.mark.parametrize("function", ["api", "replay", "migrate"])
def test_each_function_gets_exactly_the_settings(service: Resources, function: str) -> None:
    [environment] = service[f'aws_lambda_function.this["{function}"]']["environment"]
    own = set() if function == "migrate" else {"ROLE_SECRET_ARNS"}
    fields = {field.name.upper() for field in dataclasses.fields(Settings)}
    assert set(environment["variables"]) == fields - NOT_SET - own
    Settings.from_env({**environment["variables"], **OF_LAMBDA})


@pytest.mark.parametrize("function", ["api", "replay", "migrate"])
def test_each_command_is_a_function_of_the_handler(service: Resources, function: str) -> None:
    import lambda_app.handler

    [config] = service[f'aws_lambda_function.this["{function}"]']["image_config"]
    [command] = config["command"]
    module, _, name = command.rpartition(".")
    assert module == lambda_app.handler.__name__
    assert name in lambda_app.handler._BUILDERS


def test_every_alarm_on_the_service_is_on_a_metric_that_it_emits(
    observability: Resources, emitted: set[Metric]
) -> None:
    watched = {
        (alarm["metric_name"], frozenset(alarm["dimensions"])) for alarm in list_own_alarms(observability).values()
    }
    assert watched
    assert watched <= emitted


def test_the_dashboard_shows_every_metric_that_the_service_emits(
    observability: Resources, emitted: set[Metric]
) -> None:
    body = json.loads(observability["aws_cloudwatch_dashboard.this"]["dashboard_body"])
    rows = [row for widget in body["widgets"] for row in widget["properties"].get("metrics", [])]
    # A row is the namespace, the name, name and value of each dimension, and options.
    shown = {
        (name, frozenset(dimensions[0:-1:2]))
        for namespace, name, *dimensions in rows
        if not namespace.startswith("AWS/")
    }
    assert shown == emitted


def test_every_alarm_has_a_section_of_the_operations_manual(observability: Resources) -> None:
    manual = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
    sections = dict(re.findall(r"^## (.+)\n+(.+)", manual, re.MULTILINE))
    alarms = list_alarms(observability)
    assert alarms
    for key, alarm in alarms.items():
        [name] = re.findall(r'Runbook: docs/operations\.md, "(.+)"\.$', alarm["alarm_description"])
        # Whoever was called reads first that this is the place.
        assert f"`{key}`" in sections.get(name, ""), f"{key}: {name}"


def test_the_request_that_keeps_warm_is_answered(wire: Callable[..., LambdaHandler]) -> None:
    event = json.loads((SOURCES / "modules" / "service" / "keep_warm.json").read_text(encoding="utf-8"))
    assert invoke(wire(), event)["statusCode"] == 200
