"""Facts on which Terraform and the code must agree: metrics, runbooks and the request that keeps functions warm."""

import dataclasses
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from lambda_app.monitor.function import choose_metrics
from lambda_app.settings import Settings
from lambda_app.telemetry import LambdaHandler, Telemetry
from tests.events import Context, invoke
from tests.reports import make_report
from tests.terraform.aws_metrics import DOCUMENTED
from tests.terraform.program import SOURCES
from tests.terraform.rendered import (
    Resources,
    list_alarms,
    list_metrics,
    list_own_alarms,
)

ROOT = Path(__file__).parents[2]


# The name of a metric, and the names of its dimensions.
Metric = tuple[str, frozenset[str]]


@pytest.fixture
def emitted(settings: Settings, capsys: pytest.CaptureFixture[str]) -> set[Metric]:
    """Return every metric that the code sends to CloudWatch."""
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
        telemetry.maintenance_ended("daily", "reason")
        telemetry.daily_work_ended({"exported_rows": 1, "dropped": 1, "default_rows": 1}, failed=False)
        telemetry.report_made(choose_metrics(make_report()))
        telemetry.monitor_ended("report")

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


def list_rows(observability: Resources) -> list[list[Any]]:
    """Return the rows of the dashboard: the namespace, the name, name and value of each dimension, and options."""
    body = json.loads(observability["aws_cloudwatch_dashboard.this"]["dashboard_body"])
    return [row for widget in body["widgets"] for row in widget["properties"].get("metrics", [])]


def test_every_alarm_on_the_service_is_on_a_metric_that_it_emits(
    observability: Resources, emitted: set[Metric]
) -> None:
    watched = {
        (metric["metric_name"], frozenset(metric["dimensions"]))
        for alarm in list_own_alarms(observability).values()
        for metric in list_metrics(alarm)
    }
    assert watched
    assert watched <= emitted


def test_the_dashboard_shows_every_metric_that_the_service_emits(
    observability: Resources, emitted: set[Metric]
) -> None:
    shown = {
        (name, frozenset(dimensions[0:-1:2]))
        for namespace, name, *dimensions in list_rows(observability)
        if not namespace.startswith("AWS/")
    }
    assert shown == emitted


def test_alarms_and_dashboard_name_metrics_that_aws_documents(observability: Resources) -> None:
    named = [(namespace, name, frozenset(rest[0:-1:2])) for namespace, name, *rest in list_rows(observability)]
    for alarm in list_alarms(observability).values():
        for metric in list_metrics(alarm):
            named.append((metric["namespace"], metric["metric_name"], frozenset(metric["dimensions"])))
    of_aws = [metric for metric in named if metric[0].startswith("AWS/")]
    assert of_aws
    assert [metric for metric in of_aws if metric[1] not in DOCUMENTED.get((metric[0], metric[2]), set())] == []


def test_every_alarm_has_a_section_of_the_operations_manual(observability: Resources) -> None:
    manual = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
    sections = dict(re.findall(r"^## (.+)\n+(.+)", manual, re.MULTILINE))
    alarms = list_alarms(observability)
    assert alarms
    for key, alarm in alarms.items():
        [name] = re.findall(r'Runbook: docs/operations\.md, "(.+)"\.$', alarm["alarm_description"])
        # The first line of the section names the alarm.
        assert f"`{key}`" in sections.get(name, ""), f"{key}: {name}"


def test_the_request_that_keeps_warm_is_answered(wire: Callable[..., LambdaHandler]) -> None:
    event = json.loads((SOURCES / "modules" / "service" / "keep_warm.json").read_text(encoding="utf-8"))
    assert invoke(wire(), event)["statusCode"] == 200
