"""Facts on which Terraform and the code must agree: metrics, runbooks and the request that keeps functions warm."""

import dataclasses
import json
import re
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from lambda_app.settings import Settings
from lambda_app.telemetry import LambdaHandler, Telemetry
from tests.events import Context, invoke
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
def lines(settings: Settings, capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    """Return the log lines of a call that reports all that the code ever does."""
    # Powertools keeps a logger, with its stream and level, for each service name of the process.
    telemetry = Telemetry(dataclasses.replace(settings, service_name=f"contract-{uuid4()}"), emit_emf=True)

    def handler(_event: dict[str, Any], _context: Any) -> None:
        telemetry.request_finished("id", "GET", "/", 200, 0.01)
        telemetry.predictions_recorded("version", "database", [151.0] * 100)
        telemetry.predictions_recorded("version", "queue", [151.0])
        telemetry.outcomes_recorded("database", 1)
        telemetry.outcomes_recorded("queue", 1)
        telemetry.database_failed("reason")
        telemetry.records_replayed(1)
        telemetry.replay_failed("id", "reason")
        telemetry.message_dead_lettered("id", "reason")
        telemetry.model_loaded("version")
        telemetry.model_load_failed("reason")
        telemetry.candidate_failed("version", "reason")
        telemetry.candidate_tried("version", answers=1, shadows=1, disagreements=1, case_ms=0.3)
        telemetry.maintenance_ended("daily", "reason")
        telemetry.daily_work_ended({"exported_rows": 1, "dropped": 1, "default_rows": 1}, failed=False)
        telemetry.monitor_ended("report", "reason")
        telemetry.version_compared(evidence=1.0, is_alarm=True, outcome_share=0.5, mae=1.0, rmse=1.0, coverage=0.9)
        telemetry.drift_tested(1, is_alarm=True)

    # Powertools tells a cold start once in a process, of which other tests are part.
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("aws_lambda_powertools.metrics.provider.cold_start.is_cold_start", True)
        telemetry.wrap_handler(handler)({}, Context())
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


@pytest.fixture
def emitted(lines: list[dict[str, Any]]) -> set[Metric]:
    """Return every metric that the code sends to CloudWatch."""
    directives = [directive for line in lines if "_aws" in line for directive in line["_aws"]["CloudWatchMetrics"]]
    assert directives
    return {
        (metric["Name"], frozenset(dimensions))
        for directive in directives
        for metric in directive["Metrics"]
        for dimensions in directive["Dimensions"]
    }


def list_widgets(observability: Resources) -> list[dict[str, Any]]:
    """Return the properties of the dashboard's widgets."""
    body = json.loads(observability["aws_cloudwatch_dashboard.this"]["dashboard_body"])
    return [widget["properties"] for widget in body["widgets"]]


def list_rows(observability: Resources) -> list[list[Any]]:
    """Return the metrics of the dashboard: the namespace, the name, name and value of each dimension, and options."""
    rows = [row for widget in list_widgets(observability) for row in widget.get("metrics", [])]
    return [row for row in rows if isinstance(row[0], str)]


def list_fields(document: Any) -> set[str]:
    """Return the names that Logs Insights gives to the fields of a line, whose lists it numbers."""
    if not isinstance(document, dict | list):
        return {""}
    items: Iterable[tuple[object, Any]] = document.items() if isinstance(document, dict) else enumerate(document)
    return {f"{name}.{field}".rstrip(".") for name, value in items for field in list_fields(value)}


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


def test_the_dashboard_calculates_with_metrics_of_the_same_graph(observability: Resources) -> None:
    calculated = 0
    for widget in list_widgets(observability):
        rows = widget.get("metrics", [])
        known = {row[-1].get("id") for row in rows if isinstance(row[0], str)}
        for expression in [row[0]["expression"] for row in rows if isinstance(row[0], dict)]:
            assert set(re.findall(r"\b[a-z]\w*", expression)) <= known, widget["title"]
            calculated += 1
    assert calculated == 2


def test_the_queries_of_the_dashboard_name_fields_of_the_log(
    observability: Resources, lines: list[dict[str, Any]]
) -> None:
    written = set().union(*map(list_fields, lines))
    queries = [widget["query"] for widget in list_widgets(observability) if "query" in widget]
    # What Lambda itself writes begins with an @.
    own = [query for query in queries if "@initDuration" not in query]
    assert len(own) == len(queries) - 1 == 3
    for query in own:
        named = re.findall(r"(?:ispresent|sum)\(([\w.]+)\)|filter (\w+) =|\bunnest line\.(\w+)| by (.+)", query)
        for place, item in re.findall(r"unnest line\.(\w+) into (\w+)", query):
            named = [[name.replace(f"{item}.", f"{place}.0.") for name in names] for names in named]
        fields = {field for names in named for name in names if name for field in name.split(", ")}
        assert len(fields) > 1
        assert fields <= written | {name.partition(".")[0] for name in written}, query


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


def test_the_costs_count_every_metric_of_an_alarm(observability: Resources) -> None:
    costs = (ROOT / "docs" / "costs.md").read_text(encoding="utf-8")
    [quantity] = re.findall(r"^\| Alarms \| `alarm_metric` \| (\d+) ", costs, re.MULTILINE)
    assert int(quantity) == sum(len(list_metrics(alarm)) for alarm in list_alarms(observability).values())


def test_the_request_that_keeps_warm_is_answered(wire: Callable[..., LambdaHandler]) -> None:
    event = json.loads((SOURCES / "modules" / "service" / "keep_warm.json").read_text(encoding="utf-8"))
    assert invoke(wire(), event)["statusCode"] == 200
