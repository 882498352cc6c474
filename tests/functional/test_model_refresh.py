"""The function follows the pointer while it answers, and keeps the model that works when the new one does not."""

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lambda_app.model.bundle import POINTER_KEY
from lambda_app.telemetry import LambdaHandler
from tests.bundles import Registry, copy_bundle
from tests.events import invoke, load_event, make_event
from training.registry import promote_version, publish_bundle

REFRESH_SECONDS = 1


@pytest.fixture
def following(wire: Callable[..., LambdaHandler], registry: Registry) -> LambdaHandler:
    return wire(MODEL_BUCKET=registry.bucket, MODEL_REFRESH_SECONDS=str(REFRESH_SECONDS))


def predict(api: LambdaHandler) -> dict[str, Any]:
    return invoke(api, load_event("predict"))


def count_failures(api: LambdaHandler) -> float:
    """What /metrics says of failed model loads."""
    text = invoke(api, make_event("GET", "/metrics"))["body"]
    [line] = [line for line in text.splitlines() if line.startswith("diabetes_model_load_failures_total")]
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
            answer = predict(following)
            assert answer["statusCode"] == 200
            versions.append(answer["body"]["model_version"])
            assert time.monotonic() < promoted_at + 30 * REFRESH_SECONDS
        # It changed once and never back.
        assert versions == sorted(versions, key=lambda version: version == wanted)
    assert count_failures(following) == 0


def spoil_pointer(registry: Registry) -> None:
    registry.write(POINTER_KEY, b"{")


def point_to_nothing(registry: Registry) -> None:
    registry.write(POINTER_KEY, json.dumps({"version": "gone", "manifest_sha256": "00"}).encode())


def spoil_model(registry: Registry) -> None:
    registry.replace_file("model.tflite", b"not a model")


def answer_nan(registry: Registry) -> None:
    registry.rewrite_file("scaler.json", lambda scaler: scaler.update(mean=[float("nan")] * 10))


def leave_out_intervals(registry: Registry) -> None:
    registry.rewrite_manifest(lambda document: document["files"].pop("interval.json"))


def spoil_intervals(registry: Registry) -> None:
    registry.replace_file("interval.json", b"{")


def drop_a_fold(registry: Registry) -> None:
    registry.rewrite_file("interval.json", lambda interval: interval["folds"].pop())


def change_a_byte(registry: Registry) -> None:
    registry.rewrite_manifest(lambda document: document.update(seed=2))
    registry.write(registry.key("scaler.json"), registry.read(registry.key("scaler.json")) + b" ")


def remove_pointer(registry: Registry) -> None:
    registry.client.delete_object(Bucket=registry.bucket, Key=POINTER_KEY)


@pytest.mark.parametrize(
    "damage",
    [
        spoil_pointer,
        point_to_nothing,
        spoil_model,
        answer_nan,
        leave_out_intervals,
        spoil_intervals,
        drop_a_fold,
        change_a_byte,
        remove_pointer,
    ],
)
def test_bad_successor_is_refused_and_the_model_that_works_stays(
    damage: Callable[[Registry], None], following: LambdaHandler, registry: Registry
) -> None:
    before = predict(following)["body"]
    damage(registry)
    time.sleep(REFRESH_SECONDS)
    answer = predict(following)
    assert answer["statusCode"] == 200
    assert answer["body"]["model_version"] == before["model_version"]
    assert answer["body"]["prediction"] == before["prediction"]
    assert answer["body"]["interval"] == before["interval"]
    assert count_failures(following) >= 1
    assert invoke(following, make_event("GET", "/health"))["statusCode"] == 200
