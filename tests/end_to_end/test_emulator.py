"""The handler as Lambda runs it: awslambdaric under the Runtime Interface Emulator, real database, moto."""

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import UUID

import pytest

from local.emulator import Emulator
from tests.bundles import copy_bundle
from tests.events import NAMES, check_answer, load_event
from training.registry import promote_version, publish_bundle, rollback_version

if TYPE_CHECKING:
    from types_boto3_s3 import S3Client

Query = Callable[..., list[Any]]


def test_every_event_gets_its_answer_from_one_environment(start_emulator: Callable[..., Emulator]) -> None:
    emulator = start_emulator()
    for name in NAMES:
        check_answer(name, emulator.invoke(load_event(name)))


def test_cold_start_loads_the_model_once_and_warm_calls_store_their_rows(
    start_emulator: Callable[..., Emulator], query: Query
) -> None:
    emulator = start_emulator()
    bodies = [json.loads(emulator.invoke(load_event("predict"))["body"]) for _ in range(20)]
    lines = emulator.read_lines()
    assert [line["message"] for line in lines if "message" in line].count("model loaded") == 1
    assert [line["ColdStart"] for line in lines if "ColdStart" in line] == [[1.0]]
    # Before the metrics of the first request, and never again.
    assert ["ColdStart" in line for line in lines if "_aws" in line] == [True] + [False] * 20
    assert [line["Predictions"] for line in lines if "Predictions" in line] == [[1.0]] * 20
    requests = [line for line in lines if line.get("message") == "request"]
    # The answer, the log line and the row share Lambda's own id.
    assert [body["request_id"] for body in bodies] == [line["request_id"] for line in requests]
    ids = [UUID(body["request_id"]) for body in bodies]
    rows = query("SELECT request_id, prediction FROM predictions WHERE request_id = ANY(:ids)", ids=ids)
    assert {row[0]: row[1] for row in rows} == {UUID(body["request_id"]): body["prediction"] for body in bodies}
    assert len(rows) == 20


def test_missing_bundle_does_not_stop_the_environment(start_emulator: Callable[..., Emulator]) -> None:
    emulator = start_emulator(MODEL_BUCKET="no-such-bucket")
    answer = emulator.invoke(load_event("predict"))
    assert answer["statusCode"] == 503
    assert json.loads(answer["body"])["detail"] == "models/current.json cannot be read from S3: NoSuchBucket"
    assert emulator.invoke(load_event("docs"))["statusCode"] == 200


def test_promoted_version_is_taken_over_by_the_running_environment(
    start_emulator: Callable[..., Emulator], client: "S3Client", bucket: str, bundle: Path, tmp_path: Path
) -> None:
    first = publish_bundle(client, bucket, bundle)
    second = publish_bundle(client, bucket, copy_bundle(bundle, tmp_path, "20990101T000000Z-00000002"))
    promote_version(client, bucket, first)
    emulator = start_emulator(MODEL_BUCKET=bucket, MODEL_REFRESH_SECONDS="1")

    def predict_until(wanted: str) -> None:
        for _ in range(100):
            answer = emulator.invoke(load_event("predict"))
            assert answer["statusCode"] == 200
            if json.loads(answer["body"])["model_version"] == wanted:
                return
            time.sleep(0.05)
        pytest.fail(f"{wanted} was never served")

    predict_until(first)
    promote_version(client, bucket, second)
    predict_until(second)
    assert rollback_version(client, bucket) == (first, second)
    predict_until(first)
    loaded = [line["model_version"] for line in emulator.read_lines() if line.get("message") == "model loaded"]
    assert loaded == [first, second, first]


def test_wrong_settings_are_told_at_the_first_invocation(start_emulator: Callable[..., Emulator]) -> None:
    emulator = start_emulator(MODEL_RUNTIME="onnx", DATABASE_PORT="many")
    answer = emulator.invoke(load_event("predict"))
    assert answer["errorType"] == "SettingsError"
    assert "MODEL_RUNTIME must be one of litert, tensorflow, not 'onnx'" in answer["errorMessage"]
    assert "DATABASE_PORT must be a whole number from 1 to 65535" in answer["errorMessage"]


def test_sample_event_of_the_queue_is_stored(start_emulator: Callable[..., Emulator], query: Query) -> None:
    event = load_event("replay")
    assert start_emulator("replay").invoke(event) == load_event("replay.answer")
    [record] = json.loads(event["Records"][0]["body"])["records"]
    rows = query("SELECT prediction FROM predictions WHERE request_id = :id", id=UUID(record["request_id"]))
    assert rows == [[record["prediction"]]]


def test_migrate_runs_as_a_function(start_emulator: Callable[..., Emulator]) -> None:
    assert start_emulator("migrate").invoke({}) == {"applied": []}


def test_no_feature_value_and_no_password_is_logged(
    start_emulator: Callable[..., Emulator], environment: dict[str, str]
) -> None:
    emulator = start_emulator(LOG_LEVEL="DEBUG")
    event = load_event("predict")
    event["body"] = json.dumps({**json.loads(event["body"]), "bmi": 33.870319, "s2": 98.870319})
    assert emulator.invoke(event)["statusCode"] == 200
    assert "870319" not in emulator.read_log()
    assert environment["DATABASE_PASSWORD"] not in emulator.read_log()
