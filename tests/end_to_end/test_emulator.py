"""The handler as Lambda runs it: awslambdaric under the Runtime Interface Emulator, real database, moto."""

import json
from collections.abc import Callable
from typing import Any
from uuid import UUID

from local.emulator import Emulator
from tests.events import NAMES, check_answer, load_event

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


def test_wrong_settings_are_told_at_the_first_invocation(start_emulator: Callable[..., Emulator]) -> None:
    emulator = start_emulator(MODEL_RUNTIME="onnx", DATABASE_PORT="many")
    answer = emulator.invoke(load_event("predict"))
    assert answer["errorType"] == "SettingsError"
    assert "MODEL_RUNTIME must be one of litert, tensorflow, not 'onnx'" in answer["errorMessage"]
    assert "DATABASE_PORT must be a whole number from 1 to 65535" in answer["errorMessage"]


def test_replay_and_migrate_run_as_functions(start_emulator: Callable[..., Emulator]) -> None:
    assert start_emulator("replay").invoke(load_event("replay")) == load_event("replay.answer")
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
