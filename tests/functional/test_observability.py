"""What the service says of itself: log lines, EMF metrics, Prometheus text, health, documentation."""

import dataclasses
import json
import re
from collections.abc import Callable
from typing import Any

import pytest

from lambda_app import VERSION
from lambda_app.http.schemas import EXAMPLE_REQUEST
from lambda_app.settings import Settings
from lambda_app.telemetry import LambdaHandler, Telemetry
from problem.table import TABLE
from tests.events import Context, invoke, load_event, make_event

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


def test_prediction_leaves_one_line_with_its_metrics(
    wire: Callable[..., LambdaHandler], capsys: pytest.CaptureFixture[str]
) -> None:
    api = wire(SERVICE_NAME="diabetes-test", METRICS_NAMESPACE="Test")
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
    assert request["_aws"]["CloudWatchMetrics"][0]["Namespace"] == "Test"
    assert request["_aws"]["CloudWatchMetrics"][0]["Dimensions"] == [["service"]]


def test_request_has_a_line_of_its_own_where_nothing_reads_metrics(
    settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    telemetry = Telemetry(dataclasses.replace(settings, service_name="diabetes-plain"), emit_emf=False)
    telemetry.request_finished("an id", "POST", "/predict", 200, 0.0123)
    [request] = read_lines(capsys.readouterr().out)
    facts = {"request_id": "an id", "method": "POST", "route": "/predict", "status": 200, "duration_ms": 12.3}
    assert request == request | facts | {"message": "request", "level": "INFO", "service": "diabetes-plain"}


def test_metrics_do_not_add_up_over_invocations(api: LambdaHandler, capsys: pytest.CaptureFixture[str]) -> None:
    for _ in range(3):
        capsys.readouterr()
        api(load_event("predict"), Context())
        assert collect_metrics(read_lines(capsys.readouterr().out))["Predictions"] == [1.0]


def test_distribution_of_predictions_is_told_of_a_hundred_and_no_fewer(
    api: LambdaHandler, capsys: pytest.CaptureFixture[str]
) -> None:
    def predict_for(count: int) -> tuple[list[float], dict[str, list[float]]]:
        patients = [{**EXAMPLE_REQUEST, "bmi": 20 + 0.1 * index} for index in range(count)]
        capsys.readouterr()
        answer = invoke(api, make_event("POST", "/predict/batch", json.dumps({"patients": patients})))
        metrics = collect_metrics(read_lines(capsys.readouterr().out))
        predictions = [result["prediction"] for result in answer["body"]["predictions"]]
        return predictions, {name: values for name, values in metrics.items() if name.startswith("PredictionP")}

    first, told = predict_for(99)
    assert told == {}
    second, told = predict_for(1)
    ordered = sorted(first + second)
    assert told == {f"PredictionP{percent}": [round(ordered[percent])] for percent in (10, 50, 90)}
    assert predict_for(99)[1] == {}


@pytest.mark.parametrize(
    "body",
    [
        UNMISTAKABLE,
        {**UNMISTAKABLE, "bmi": 9.870319},
        {**UNMISTAKABLE, "bmi": "9.870319"},
        {**UNMISTAKABLE, "x9.870319": 1},
        {**UNMISTAKABLE, "age": [9.870319]},
    ],
)
@pytest.mark.parametrize("database_port", ["as it is", "1"])
def test_no_feature_value_reaches_a_log(
    body: dict[str, Any],
    database_port: str,
    wire: Callable[..., LambdaHandler],
    environment: dict[str, str],
    capfd: pytest.CaptureFixture[str],
) -> None:
    port = environment["DATABASE_PORT"] if database_port == "as it is" else database_port
    api = wire(LOG_LEVEL="DEBUG", DATABASE_PORT=port)
    invoke(api, make_event("POST", "/predict", json.dumps(body)))
    output = capfd.readouterr()
    assert '"request"' in output.out
    assert "870319" not in output.out + output.err
    assert environment["DATABASE_PASSWORD"] not in output.out + output.err


def test_crash_is_logged_without_its_text_and_answered_as_a_problem(
    wire: Callable[..., LambdaHandler], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def crash(*_: object) -> None:
        raise ValueError("the patient of 61.870319 years")

    api = wire()
    # Not before: loading asks the model once.
    monkeypatch.setattr("lambda_app.model.predictor.Predictor.predict", crash)
    capsys.readouterr()
    answer = invoke(api, make_event("POST", "/predict", json.dumps(EXAMPLE_REQUEST)))
    assert answer["statusCode"] == 500
    assert answer["headers"]["content-type"] == "application/problem+json"
    assert answer["body"]["detail"] == "An unexpected error; it was logged."
    output = capsys.readouterr().out
    assert "61.870319" not in output
    lines = read_lines(output)
    [crashed] = [line for line in lines if line.get("message") == "request crashed"]
    assert crashed["error"] == "ValueError"
    assert crashed["frames"][-1].endswith(" crash")
    assert collect_metrics(lines)["ServerErrors"] == [1.0]


def test_prometheus_counts_by_execution_environment(
    wire: Callable[..., LambdaHandler], manifest: dict[str, Any]
) -> None:
    api = wire(AWS_LAMBDA_LOG_STREAM_NAME="2026/11/23/[$LATEST]abc")
    for name in ("predict", "predict", "predict_invalid", "unknown_path", "docs"):
        api(load_event(name), Context())
    answer = invoke(api, make_event("GET", "/metrics"))
    assert answer["headers"]["content-type"].startswith("text/plain")
    lines = answer["body"].splitlines()
    environment = 'execution_environment="2026/11/23/[$LATEST]abc"'
    labels = f'destination="database",{environment},model_version="{manifest["version"]}"'
    assert f"diabetes_predictions_total{{{labels}}} 2.0" in lines
    assert f'diabetes_requests_total{{{environment},route="/predict",status="200"}} 2.0' in lines
    assert f'diabetes_requests_total{{{environment},route="/predict",status="422"}} 1.0' in lines
    assert f'diabetes_requests_total{{{environment},route="unmatched",status="404"}} 1.0' in lines
    assert f'diabetes_requests_total{{{environment},route="/docs",status="200"}} 1.0' in lines
    assert f"diabetes_request_duration_seconds_count{{{environment}}} 5.0" in lines
    assert f'diabetes_request_duration_seconds_bucket{{{environment},le="+Inf"}} 5.0' in lines
    samples = [line for line in lines if not line.startswith("#")]
    assert all(environment in line for line in samples)
    # By these Prometheus names what it scrapes; a label of ours would become "exported_instance".
    assert not re.findall(r'[{,](?:instance|job)="', "".join(samples))


def test_health_with_one_of_database_and_queue_is_degraded_and_without_both_503(
    wire: Callable[..., LambdaHandler],
) -> None:
    api = wire(DATABASE_PORT="1")
    answer = invoke(api, make_event("GET", "/health"))
    assert answer["statusCode"] == 200
    assert answer["body"]["database"].pop("response_time_ms") >= 0
    assert answer["body"]["queue"].pop("response_time_ms") > 0
    assert answer["body"] | {"model_version": ""} == {
        "status": "degraded",
        "model_loaded": True,
        "scaler_loaded": True,
        "model_version": "",
        "model_error": None,
        "database": {"status": "unavailable", "reason": "ConnectionRefusedError", "circuit": "open"},
        "queue": {"status": "ok", "reason": None},
        "version": VERSION,
    }
    again = invoke(api, make_event("GET", "/health"))
    assert again["body"]["database"]["reason"] == "circuit open after ConnectionRefusedError"
    assert invoke(api, make_event("GET", "/health/live"))["body"] == {"status": "ok"}

    without_queue = {"QUEUE_URL": "http://127.0.0.1:1/1/records"}
    answer = invoke(wire(**without_queue), make_event("GET", "/health"))
    assert (answer["statusCode"], answer["body"]["status"]) == (200, "degraded")
    assert answer["body"]["queue"]["reason"] == "ConnectionRefusedError"
    answer = invoke(wire(DATABASE_PORT="1", **without_queue), make_event("GET", "/health"))
    assert (answer["statusCode"], answer["body"]["status"]) == (503, "unavailable")


def test_openapi_tells_bounds_units_examples_and_problems(api: LambdaHandler) -> None:
    document = invoke(api, make_event("GET", "/openapi.json"))["body"]
    properties = document["components"]["schemas"]["PredictionRequest"]["properties"]
    assert list(properties) == [feature.name for feature in TABLE.features]
    assert properties["sex"]["enum"] == [1, 2]
    for feature in TABLE.features:
        assert feature.meaning in properties[feature.name]["description"]
        assert properties[feature.name]["examples"] == [feature.example]
        if feature.name != "sex":
            assert feature.unit in properties[feature.name]["description"]
            assert properties[feature.name]["minimum"] == feature.minimum
            assert properties[feature.name]["maximum"] == feature.maximum
    schemas = document["components"]["schemas"]
    assert schemas["PredictionRequest"]["examples"] == [EXAMPLE_REQUEST]
    refused = invoke(api, make_event("POST", "/predict", json.dumps({**EXAMPLE_REQUEST, "sex": 3})))["body"]
    [example] = schemas["ProblemResponse"]["examples"]
    assert refused == {**example, "request_id": refused["request_id"]}
    operation = document["paths"]["/predict"]["post"]
    assert set(operation["responses"]) == {"200", "400", "401", "403", "413", "415", "422", "429", "500", "503"}
    for status in ("400", "413", "415", "422", "503"):
        assert list(operation["responses"][status]["content"]) == ["application/problem+json"]
