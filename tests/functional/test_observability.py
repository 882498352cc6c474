"""Reports of the service about itself: log lines, EMF metrics, Prometheus text, health. No measurement is in a log."""

import contextlib
import dataclasses
import json
import re
from datetime import UTC, datetime
from typing import Any

import pytest

from lambda_app import VERSION
from lambda_app.http.schemas import EXAMPLE_REQUEST
from lambda_app.log.database import Database
from lambda_app.settings import Settings
from lambda_app.telemetry import LambdaHandler, Telemetry
from local.postgres import Postgres
from local.records import make_record
from tests.events import Context, load_event
from tests.functional.helpers import DEAD_DATABASE, DEAD_QUEUE, Wire, get, post
from tests.records import insert

# Six digits that no clock, duration or identifier shows by chance: a search for them finds only a leak.
UNMISTAKABLE = {
    "age": 61.870319, "sex": 2, "bmi": 31.870319, "bp": 91.870319, "s1": 191.870319,
    "s2": 121.870319, "s3": 41.870319, "s4": 4.870319, "s5": 4.870319, "s6": 98.870319,
}  # fmt: skip


def read_lines(output: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in output.splitlines()]


def collect_metrics(lines: list[dict[str, Any]]) -> dict[str, list[float]]:
    """The values of every EMF metric among the lines, by name."""
    return {
        metric["Name"]: line[metric["Name"]]
        for line in lines
        if "_aws" in line
        for directive in line["_aws"]["CloudWatchMetrics"]
        for metric in directive["Metrics"]
    }


def test_each_prediction_leaves_one_line_with_its_own_metrics(wire: Wire, capsys: pytest.CaptureFixture[str]) -> None:
    api = wire(SERVICE_NAME="diabetes-test", METRICS_NAMESPACE="Test")
    for _ in range(3):
        capsys.readouterr()
        context = Context()
        api(load_event("predict"), context)
        lines = read_lines(capsys.readouterr().out)
        # The other line is the cold start's.
        [request] = [line for line in lines if "ColdStart" not in line]
        assert request["message"] == "request"
        assert request["correlation_id"] == load_event("predict")["requestContext"]["requestId"]
        assert request["request_id"] == context.aws_request_id
        assert (request["method"], request["route"], request["status"]) == ("POST", "/predict", 200)
        assert request["service"] == "diabetes-test"
        metrics = collect_metrics(lines)
        assert metrics["Predictions"] == metrics["RecordsToDatabase"] == [1.0]
        assert metrics["ServerErrors"] == [0.0]
        assert metrics["Latency"][0] > 0
        [directive] = request["_aws"]["CloudWatchMetrics"]
        assert (directive["Namespace"], directive["Dimensions"]) == ("Test", [["service"]])


def test_request_has_a_line_of_its_own_where_nothing_reads_metrics(
    settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    telemetry = Telemetry(dataclasses.replace(settings, service_name="diabetes-plain"), emit_emf=False)
    telemetry.request_finished("an id", "POST", "/predict", 200, 0.0123)
    [request] = read_lines(capsys.readouterr().out)
    facts = {"request_id": "an id", "method": "POST", "route": "/predict", "status": 200, "duration_ms": 12.3}
    assert request == request | facts | {"message": "request", "level": "INFO", "service": "diabetes-plain"}


def test_distribution_of_predictions_is_reported_of_a_hundred_and_no_fewer(
    api: LambdaHandler, capsys: pytest.CaptureFixture[str]
) -> None:
    def predict_for(count: int) -> tuple[list[float], dict[str, list[float]]]:
        patients = [{**EXAMPLE_REQUEST, "bmi": 20 + 0.1 * index} for index in range(count)]
        capsys.readouterr()
        answer = post(api, "/predict/batch", {"patients": patients})
        metrics = collect_metrics(read_lines(capsys.readouterr().out))
        predictions = [result["prediction"] for result in answer["body"]["predictions"]]
        return predictions, {name: values for name, values in metrics.items() if name.startswith("PredictionP")}

    first, told = predict_for(99)
    assert told == {}
    second, told = predict_for(1)
    ordered = sorted(first + second)
    assert told == {f"PredictionP{percent}": [round(ordered[percent])] for percent in (10, 50, 90)}
    assert predict_for(99)[1] == {}


@pytest.mark.parametrize("changed", [{}, {"bmi": 9.870319}, {"bmi": "9.870319"}, {"x9.870319": 1}, {"age": [9.870319]}])
@pytest.mark.parametrize("fault", [{}, DEAD_DATABASE])
def test_no_feature_value_reaches_a_log(
    changed: dict[str, Any],
    fault: dict[str, str],
    wire: Wire,
    environment: dict[str, str],
    capfd: pytest.CaptureFixture[str],
) -> None:
    post(wire(LOG_LEVEL="DEBUG", **fault), "/predict", {**UNMISTAKABLE, **changed})
    output = capfd.readouterr()
    assert '"request"' in output.out
    assert "870319" not in output.out + output.err
    assert environment["DATABASE_PASSWORD"] not in output.out + output.err


def test_crash_is_logged_without_its_text_and_answered_as_a_problem(
    wire: Wire, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def crash(*_: object) -> None:
        raise ValueError("the patient of 61.870319 years")

    api = wire()
    # Not before: loading asks the model once.
    monkeypatch.setattr("lambda_app.model.predictor.Predictor.predict", crash)
    capsys.readouterr()
    answer = post(api, "/predict", EXAMPLE_REQUEST)
    assert (answer["statusCode"], answer["headers"]["content-type"]) == (500, "application/problem+json")
    assert answer["body"]["detail"] == "An unexpected error; it was logged."
    output = capsys.readouterr().out
    assert "61.870319" not in output
    lines = read_lines(output)
    [crashed] = [line for line in lines if line.get("message") == "request crashed"]
    assert crashed["error"] == "ValueError"
    assert crashed["frames"][-1].endswith(" crash")
    assert collect_metrics(lines)["ServerErrors"] == [1.0]


def test_prometheus_counts_by_execution_environment(wire: Wire, manifest: dict[str, Any]) -> None:
    api = wire(AWS_LAMBDA_LOG_STREAM_NAME="2026/11/23/[$LATEST]abc")
    for name in ("predict", "predict", "predict_invalid", "unknown_path", "docs"):
        api(load_event(name), Context())
    answer = get(api, "/metrics")
    assert answer["headers"]["content-type"].startswith("text/plain")
    samples = [line for line in answer["body"].splitlines() if not line.startswith("#")]
    environment = 'execution_environment="2026/11/23/[$LATEST]abc"'
    version = f'model_version="{manifest["version"]}"'
    assert {
        f'diabetes_predictions_total{{destination="database",{environment},{version}}} 2.0',
        f'diabetes_requests_total{{{environment},route="/predict",status="200"}} 2.0',
        f'diabetes_requests_total{{{environment},route="/predict",status="422"}} 1.0',
        f'diabetes_requests_total{{{environment},route="unmatched",status="404"}} 1.0',
        f'diabetes_requests_total{{{environment},route="/docs",status="200"}} 1.0',
        f"diabetes_request_duration_seconds_count{{{environment}}} 5.0",
        f'diabetes_request_duration_seconds_bucket{{{environment},le="+Inf"}} 5.0',
    } <= set(samples)
    assert all(environment in line for line in samples)
    # By these Prometheus names what it scrapes; a label of ours would become "exported_instance".
    assert not re.findall(r'[{,](?:instance|job)="', "".join(samples))


def test_health_tells_of_rows_of_no_month(own_postgres: tuple[Postgres, Settings], wire: Wire) -> None:
    _, own = own_postgres
    api = wire(DATABASE_PORT=str(own.database_port))
    assert get(api, "/health")["body"]["database"]["note"] is None
    with contextlib.closing(Database(own)) as database:
        insert(database, make_record(created_at=datetime(2020, 2, 1, tzinfo=UTC)))
    body = get(api, "/health")["body"]
    assert (body["status"], body["database"]["note"]) == (
        "ok",
        "predictions_default has rows of a month without a partition",
    )


def test_health_with_one_of_database_and_queue_is_degraded_and_without_both_503(wire: Wire) -> None:
    api = wire(**DEAD_DATABASE)
    answer = get(api, "/health")
    assert answer["statusCode"] == 200
    assert answer["body"]["database"].pop("response_time_ms") >= 0
    assert answer["body"]["queue"].pop("response_time_ms") > 0
    assert answer["body"] | {"model_version": ""} == {
        "status": "degraded",
        "model_loaded": True,
        "scaler_loaded": True,
        "model_version": "",
        "model_error": None,
        "database": {"status": "unavailable", "reason": "ConnectionRefusedError", "note": None, "circuit": "open"},
        "queue": {"status": "ok", "reason": None},
        "version": VERSION,
    }
    again = get(api, "/health")
    assert again["body"]["database"]["reason"] == "circuit open after ConnectionRefusedError"
    assert get(api, "/health/live")["body"] == {"status": "ok"}

    answer = get(wire(**DEAD_QUEUE), "/health")
    assert (answer["statusCode"], answer["body"]["status"]) == (200, "degraded")
    assert answer["body"]["queue"]["reason"] == "ConnectionRefusedError"
    answer = get(wire(**DEAD_DATABASE, **DEAD_QUEUE), "/health")
    assert (answer["statusCode"], answer["body"]["status"]) == (503, "unavailable")
