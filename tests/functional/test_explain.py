"""POST /explain: adds up for any patient, leaves nothing behind, and needs the model alone."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lambda_app.http.schemas import EXAMPLE_REQUEST
from lambda_app.telemetry import LambdaHandler
from problem.table import TABLE
from tests.bundles import Registry
from tests.functional.helpers import DEAD_DATABASE, DEAD_QUEUE, IMPOSSIBLE, Query, Queues, Wire, count_rows, get, post

patients = st.fixed_dictionaries(
    {
        feature.name: st.sampled_from([1, 2]) if feature.name == "sex" else st.floats(feature.minimum, feature.maximum)
        for feature in TABLE.features
    }
)


def explain(api: LambdaHandler, patient: Any) -> dict[str, Any]:
    return dict(post(api, "/explain", patient)["body"])


@pytest.fixture
def training_mean(bundle: Path) -> dict[str, float]:
    """The mean of each measurement in the scaler. No patient can have the mean of the codes of sex."""
    mean = json.loads((bundle / "scaler.json").read_bytes())["mean"]
    return {feature.name: value for feature, value in zip(TABLE.features, mean, strict=True) if feature.name != "sex"}


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(patient=patients, at_mean=st.sets(st.sampled_from([f.name for f in TABLE.features if f.name != "sex"])))
def test_any_patient_is_explained_alike_and_in_full(
    patient: dict[str, float], at_mean: set[str], api: LambdaHandler, training_mean: dict[str, float]
) -> None:
    patient |= {name: training_mean[name] for name in at_mean}
    body = explain(api, patient)
    contributions = body["contributions"]
    assert list(contributions) == [feature.name for feature in TABLE.features]
    assert body["base_value"] + sum(contributions.values()) == pytest.approx(body["prediction"], abs=1e-3)
    assert {name: contributions[name] for name in at_mean} == pytest.approx(dict.fromkeys(at_mean, 0), abs=1e-3)
    assert {**explain(api, patient), "request_id": body["request_id"]} == body


def test_of_many_features_the_contributions_are_estimated_with_standard_errors(
    api: LambdaHandler, monkeypatch: pytest.MonkeyPatch
) -> None:
    exact = explain(api, EXAMPLE_REQUEST)
    assert "standard_errors" not in exact
    monkeypatch.setattr("lambda_app.model.shapley.MAX_EXACT_FEATURES", len(TABLE.features) - 1)
    estimate = explain(api, EXAMPLE_REQUEST)
    assert estimate.keys() == {*exact, "standard_errors"}
    errors, contributions = estimate["standard_errors"], estimate["contributions"]
    assert list(errors) == list(contributions) == list(TABLE.names)
    assert estimate["base_value"] + sum(contributions.values()) == pytest.approx(estimate["prediction"], abs=1e-3)
    for name, value in exact["contributions"].items():
        assert contributions[name] == pytest.approx(value, abs=5 * errors[name] + 1e-4)
    assert 0 < max(errors.values()) < 5
    assert {**explain(api, EXAMPLE_REQUEST), "request_id": estimate["request_id"]} == estimate


@pytest.mark.parametrize("patient", [{**EXAMPLE_REQUEST, "bmi": 45}, IMPOSSIBLE])
def test_it_explains_the_prediction_of_predict(patient: dict[str, Any], api: LambdaHandler) -> None:
    explained, predicted = explain(api, patient), post(api, "/predict", patient)["body"]
    assert explained["warnings"]
    for name in ("prediction", "interval", "warnings", "model_version"):
        assert explained[name] == predicted[name]
    total = explained["base_value"] + sum(explained["contributions"].values())
    assert total == pytest.approx(predicted["prediction"], abs=1e-3)


def test_an_explanation_has_no_record_and_no_count(
    wire: Wire, queues: Queues, query: Query, capsys: pytest.CaptureFixture[str]
) -> None:
    api = wire(**queues.environment)
    before = count_rows(query)
    # /predict would keep this key.
    for answer in [post(api, "/explain", EXAMPLE_REQUEST, idempotency_key="once") for _ in range(2)]:
        assert answer["headers"]["x-prediction-record"] == "none"
        assert "idempotency-replayed" not in answer["headers"]
    assert (count_rows(query), queues.count()) == (before, 0)
    written = capsys.readouterr().out
    assert '"Latency"' in written
    assert '"Predictions"' not in written
    assert "diabetes_predictions_total{" not in get(api, "/metrics")["body"]


def test_it_needs_neither_database_nor_queue(wire: Wire) -> None:
    api = wire(**DEAD_DATABASE, **DEAD_QUEUE)
    assert post(api, "/explain", EXAMPLE_REQUEST)["statusCode"] == 200
    assert post(api, "/predict", EXAMPLE_REQUEST)["statusCode"] == 503


def test_a_model_from_before_there_was_a_page_is_served(wire: Wire, registry: Registry) -> None:
    def forget(manifest: dict[str, Any]) -> None:
        del manifest["outcomes"]
        for feature in manifest["features"]:
            del feature["median"]

    registry.rewrite_manifest(forget)
    api = wire(MODEL_BUCKET=registry.bucket)
    told = get(api, "/model")["body"]
    assert told["outcomes"] is None
    assert [feature["typical"] for feature in told["features"]] == [None] * 10
    assert post(api, "/explain", EXAMPLE_REQUEST)["statusCode"] == 200
