"""POST /explain: adds up for any patient, leaves nothing behind, and needs the model alone."""

import json
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lambda_app.http.schemas import EXAMPLE_REQUEST
from lambda_app.telemetry import LambdaHandler
from local.ports import find_free_ports
from problem.table import TABLE
from tests.bundles import Registry
from tests.events import invoke, make_event
from tests.queues import QueuePair, count_messages

if TYPE_CHECKING:
    from types_boto3_sqs import SQSClient

patients = st.fixed_dictionaries(
    {
        feature.name: st.sampled_from([1, 2]) if feature.name == "sex" else st.floats(feature.minimum, feature.maximum)
        for feature in TABLE.features
    }
)


@pytest.fixture
def training_mean(registry: Registry) -> dict[str, float]:
    """Of each measurement, as the scaler has it; the mean of the codes of sex is none that a patient can have."""
    mean = json.loads(registry.read(registry.key("scaler.json")))["mean"]
    return {feature.name: value for feature, value in zip(TABLE.features, mean, strict=True) if feature.name != "sex"}


def explain(api: LambdaHandler, patient: Mapping[str, float], **headers: str) -> dict[str, Any]:
    return invoke(api, make_event("POST", "/explain", json.dumps(patient), **headers))


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(patient=patients, at_mean=st.sets(st.sampled_from([f.name for f in TABLE.features if f.name != "sex"])))
def test_any_patient_is_explained_alike_and_in_full(
    patient: dict[str, float], at_mean: set[str], api: LambdaHandler, training_mean: dict[str, float]
) -> None:
    patient |= {name: training_mean[name] for name in at_mean}
    answer = explain(api, patient)
    assert answer["statusCode"] == 200, answer["body"]
    body = answer["body"]
    contributions = body["contributions"]
    assert list(contributions) == [feature.name for feature in TABLE.features]
    assert body["base_value"] + sum(contributions.values()) == pytest.approx(body["prediction"], abs=1e-3)
    assert {name: contributions[name] for name in at_mean} == pytest.approx(dict.fromkeys(at_mean, 0), abs=1e-3)
    again = explain(api, patient)["body"]
    assert {**again, "request_id": body["request_id"]} == body


def test_of_many_features_the_contributions_are_estimated_with_standard_errors(
    api: LambdaHandler, monkeypatch: pytest.MonkeyPatch
) -> None:
    exact = explain(api, EXAMPLE_REQUEST)["body"]
    assert "standard_errors" not in exact
    monkeypatch.setattr("lambda_app.model.shapley.MAX_EXACT_FEATURES", len(TABLE.features) - 1)
    estimate = explain(api, EXAMPLE_REQUEST)["body"]
    assert estimate.keys() == {*exact, "standard_errors"}
    errors, contributions = estimate["standard_errors"], estimate["contributions"]
    assert list(errors) == list(contributions) == list(TABLE.names)
    assert estimate["base_value"] + sum(contributions.values()) == pytest.approx(estimate["prediction"], abs=1e-3)
    for name, value in exact["contributions"].items():
        assert contributions[name] == pytest.approx(value, abs=5 * errors[name] + 1e-4)
    assert 0 < max(errors.values()) < 5
    assert {**explain(api, EXAMPLE_REQUEST)["body"], "request_id": ""} == {**estimate, "request_id": ""}


def test_the_prediction_is_that_of_predict(api: LambdaHandler) -> None:
    patient = {**EXAMPLE_REQUEST, "bmi": 45}
    explained = explain(api, patient)["body"]
    predicted = invoke(api, make_event("POST", "/predict", json.dumps(patient)))["body"]
    assert [warning["field"] for warning in explained["warnings"]] == ["bmi"]
    for name in ("prediction", "interval", "warnings", "model_version"):
        assert explained[name] == predicted[name]


def test_an_explanation_has_no_record_and_no_count(
    wire: Callable[..., LambdaHandler],
    own_queues: QueuePair,
    sqs: "SQSClient",
    query: Callable[..., list[Any]],
    capsys: pytest.CaptureFixture[str],
) -> None:
    api = wire(**own_queues.environment)
    before = query("SELECT count(*) FROM predictions")
    # A key that /predict would keep: here there is nothing to do twice.
    first, second = (explain(api, EXAMPLE_REQUEST, idempotency_key="once") for _ in range(2))
    assert first["headers"]["x-prediction-record"] == second["headers"]["x-prediction-record"] == "none"
    assert "idempotency-replayed" not in second["headers"]
    assert query("SELECT count(*) FROM predictions") == before
    assert count_messages(sqs, own_queues.url) == 0
    written = capsys.readouterr().out
    assert '"Latency"' in written
    assert '"Predictions"' not in written
    assert "diabetes_predictions_total{" not in invoke(api, make_event("GET", "/metrics"))["body"]


def test_it_needs_neither_database_nor_queue(wire: Callable[..., LambdaHandler]) -> None:
    database_port, queue_port = map(str, find_free_ports(2))
    api = wire(DATABASE_PORT=database_port, QUEUE_URL=f"http://127.0.0.1:{queue_port}/1/records")
    assert explain(api, EXAMPLE_REQUEST)["statusCode"] == 200
    assert invoke(api, make_event("POST", "/predict", json.dumps(EXAMPLE_REQUEST)))["statusCode"] == 503


def test_without_a_model_there_is_no_explanation_and_nothing_to_tell_of(
    wire: Callable[..., LambdaHandler], bucket: str
) -> None:
    api = wire(MODEL_BUCKET=bucket)
    for event in (make_event("POST", "/explain", json.dumps(EXAMPLE_REQUEST)), make_event("GET", "/model")):
        answer = invoke(api, event)
        assert (answer["statusCode"], answer["body"]["title"]) == (503, "No model is loaded")
        assert answer["headers"]["retry-after"] == "1"


@pytest.mark.parametrize(
    ("body", "status"), [("{", 400), ("[]", 422), ('{"age": 1}', 422), (" " * 70_000, 413), (None, 422)]
)
def test_it_refuses_what_predict_refuses(body: str | None, status: int, api: LambdaHandler) -> None:
    explained, predicted = (invoke(api, make_event("POST", path, body)) for path in ("/explain", "/predict"))
    assert explained["statusCode"] == predicted["statusCode"] == status
    assert {**explained["body"], "request_id": ""} == {**predicted["body"], "request_id": ""}


def test_a_model_from_before_there_was_a_page_is_served(wire: Callable[..., LambdaHandler], registry: Registry) -> None:
    def forget(manifest: dict[str, Any]) -> None:
        del manifest["outcomes"]
        for feature in manifest["features"]:
            del feature["median"]

    registry.rewrite_manifest(forget)
    api = wire(MODEL_BUCKET=registry.bucket)
    told = invoke(api, make_event("GET", "/model"))["body"]
    assert told["outcomes"] is None
    assert [feature["typical"] for feature in told["features"]] == [None] * 10
    assert explain(api, EXAMPLE_REQUEST)["statusCode"] == 200
