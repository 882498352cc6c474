"""The function follows the pointer while it answers, and keeps its model when the new one does not work."""

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lambda_app.http.schemas import EXAMPLE_REQUEST
from lambda_app.model.bundle import POINTER_KEY
from lambda_app.telemetry import LambdaHandler
from tests.bundles import Registry, copy_bundle
from tests.functional.helpers import Wire, get, post
from training.registry import promote_version, publish_bundle

REFRESH_SECONDS = 1


@pytest.fixture
def following(wire: Wire, registry: Registry) -> LambdaHandler:
    return wire(MODEL_BUCKET=registry.bucket, MODEL_REFRESH_SECONDS=str(REFRESH_SECONDS))


def predict(api: LambdaHandler) -> dict[str, Any]:
    answer = post(api, "/predict", EXAMPLE_REQUEST)
    assert answer["statusCode"] == 200
    return dict(answer["body"])


def count_failures(api: LambdaHandler) -> float:
    """The failed model loads in /metrics."""
    lines = get(api, "/metrics")["body"].splitlines()
    [line] = [line for line in lines if line.startswith("diabetes_model_load_failures_total")]
    return float(line.rpartition(" ")[2])


def test_promotion_and_rollback_reach_a_function_that_answers_all_the_while(
    following: LambdaHandler, registry: Registry, bundle: Path, tmp_path: Path
) -> None:
    first = registry.version
    second, _ = publish_bundle(
        registry.client, registry.bucket, copy_bundle(bundle, tmp_path, "20990101T000000Z-00000002")
    )
    for wanted in (second, first):
        promote_version(registry.client, registry.bucket, wanted)
        promoted_at = time.monotonic()
        versions: list[str] = []
        while not versions or versions[-1] != wanted:
            versions.append(predict(following)["model_version"])
            assert time.monotonic() < promoted_at + 30 * REFRESH_SECONDS
        # It changed once and never back.
        assert versions == sorted(versions, key=lambda version: version == wanted)
    assert count_failures(following) == 0


def change_a_byte(registry: Registry) -> None:
    registry.rewrite_manifest(lambda document: document.update(seed=2))
    registry.write(registry.key("scaler.json"), registry.read(registry.key("scaler.json")) + b" ")


DAMAGES: dict[str, Callable[[Registry], object]] = {
    "pointer removed": lambda registry: registry.client.delete_object(Bucket=registry.bucket, Key=POINTER_KEY),
    "pointer not JSON": lambda registry: registry.write(POINTER_KEY, b"{"),
    "pointer to nothing": lambda registry: registry.write(
        POINTER_KEY, json.dumps({"version": "gone", "manifest_sha256": "00"}).encode()
    ),
    "model not a model": lambda registry: registry.replace_file("model.tflite", b"not a model"),
    "answers not numbers": lambda registry: registry.rewrite_file(
        "scaler.json", lambda scaler: scaler.update(mean=[float("nan")] * 10)
    ),
    "intervals missing": lambda registry: registry.rewrite_manifest(
        lambda document: document["files"].pop("interval.json")
    ),
    "intervals not JSON": lambda registry: registry.replace_file("interval.json", b"{"),
    "a fold missing": lambda registry: registry.rewrite_file("interval.json", lambda interval: interval["folds"].pop()),
    "a byte changed": change_a_byte,
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_bad_successor_is_refused_and_the_working_model_stays(
    damage: str, following: LambdaHandler, registry: Registry
) -> None:
    before = predict(following)
    DAMAGES[damage](registry)
    time.sleep(REFRESH_SECONDS)
    answer = predict(following)
    for name in ("model_version", "prediction", "interval"):
        assert answer[name] == before[name]
    assert count_failures(following) >= 1
    assert get(following, "/health")["statusCode"] == 200
