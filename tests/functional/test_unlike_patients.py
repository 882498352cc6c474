"""Patients unlike those of the study: warned of, none below zero, with a wider interval that promises nothing."""

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from lambda_app.http.schemas import EXAMPLE_REQUEST
from lambda_app.model.predictor import Prediction, Predictor
from lambda_app.telemetry import LambdaHandler
from problem.table import TABLE
from tests.bundles import Registry, load_predictor
from tests.functional.helpers import IMPOSSIBLE, post
from training.data import load_rows

if TYPE_CHECKING:
    from types_boto3_s3 import S3Client

TOGETHER = "are together unlike what training saw: 99 % of its patients are nearer to its mean"


@pytest.fixture
def predictor(client: "S3Client", environment: dict[str, str]) -> Predictor:
    return load_predictor(client, environment["MODEL_BUCKET"], "litert")


def list_patients() -> list[dict[str, float]]:
    return [dict(zip(TABLE.names, row, strict=True)) for row in load_rows().features.tolist()]


def measure_width(prediction: Prediction) -> float:
    return prediction.interval.upper - prediction.interval.lower


def test_patient_who_cannot_exist_is_warned_of_and_never_below_zero(api: LambdaHandler) -> None:
    body = post(api, "/predict", IMPOSSIBLE)["body"]
    assert body["warnings"] == [
        {"field": "s1", "message": "is below s2 + s3, and total cholesterol is at least LDL and HDL together"},
        {"field": "s4", "message": "is more than 0.75 away from s1 / s3, which defines it"},
        {"field": "features", "message": TOGETHER},
    ]
    assert body["prediction"] == body["interval"]["lower"] == TABLE.target.minimum == 0
    assert body["interval"]["upper"] > 346
    assert body["interval"]["coverage"] is None


def test_measurement_outside_training_is_warned_of_with_the_range(api: LambdaHandler, manifest: dict[str, Any]) -> None:
    [seen] = [feature for feature in manifest["features"] if feature["name"] == "bmi"]
    message = f"is outside what training saw: {seen['minimum']:g} to {seen['maximum']:g} (kg/m²)"
    body = post(api, "/predict", {**EXAMPLE_REQUEST, "bmi": 45})["body"]
    assert body["warnings"] == [{"field": "bmi", "message": message}]


@pytest.mark.parametrize("change", [{"bmi": 42.3}, {"s4": 4.9}, {"s2": 41.6, "s4": 4.5}])
def test_any_warning_takes_the_promise_and_widens_the_interval(change: dict[str, float], predictor: Predictor) -> None:
    # A range, a relation, and nothing but all together.
    known, unlike = predictor.predict([EXAMPLE_REQUEST, {**EXAMPLE_REQUEST, **change}])
    assert (known.warnings, known.interval.coverage) == ([], 0.9)
    assert len(unlike.warnings) == 1
    assert unlike.interval.coverage is None
    assert measure_width(unlike) > measure_width(known)


def test_an_interval_is_as_wide_as_any_known_at_once_and_grows_with_the_distance(predictor: Predictor) -> None:
    known = [prediction for prediction in predictor.predict(list_patients()) if not prediction.warnings]
    near, *far = predictor.predict([{**EXAMPLE_REQUEST, "bmi": bmi} for bmi in (42.3, 50, 60, 70, 80)])
    # Within the little by which the answers of the folds lie closer together for one patient than for another.
    assert measure_width(near) > 0.97 * max(map(measure_width, known))
    widths = [measure_width(prediction) for prediction in far]
    assert widths == sorted(widths)
    assert widths[-1] > 2 * measure_width(near)


def test_one_in_a_hundred_of_the_study_s_patients_is_unlike_the_others(predictor: Predictor) -> None:
    fields = [[warning.field for warning in prediction.warnings] for prediction in predictor.predict(list_patients())]
    # A hundredth of 442; all of them within the ranges, and without a broken relation.
    assert [found for found in fields if found] == [["features"]] * 5


def test_of_patients_drawn_measurement_by_measurement_none_is_below_zero_or_unnoticed(predictor: Predictor) -> None:
    rows = load_rows().features
    generator = np.random.default_rng(12)
    drawn = generator.uniform(rows.min(axis=0), rows.max(axis=0), (10_000, 10))
    drawn[:, TABLE.names.index("sex")] = generator.integers(1, 3, 10_000)
    predictions = predictor.predict([dict(zip(TABLE.names, row, strict=True)) for row in drawn.tolist()])
    assert min(min(prediction.value, prediction.interval.lower) for prediction in predictions) == 0
    together = sum(prediction.warnings[-1].field == "features" for prediction in predictions if prediction.warnings)
    assert 9_000 < together < 10_000
    # The cut hides none of them: who would be below zero is warned of.
    assert all(prediction.warnings for prediction in predictions if prediction.value == 0)
    assert 100 < sum(prediction.value == 0 for prediction in predictions) < 1000


def test_a_version_without_the_joint_limit_warns_of_the_rest(registry: Registry) -> None:
    registry.rewrite_manifest(lambda document: document.pop("joint"))
    [prediction] = registry.load().predict([{**IMPOSSIBLE, "bmi": 17}])
    assert [warning.field for warning in prediction.warnings] == ["bmi", "s1", "s4"]
    assert (prediction.value, prediction.interval.coverage) == (0, None)
