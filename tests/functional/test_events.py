"""Every sample event through the handler: the whole answer, and the whole row."""

import json
import shutil
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from lambda_app.http.schemas import EXAMPLE_OUTCOME, EXAMPLE_REQUEST
from lambda_app.telemetry import LambdaHandler
from local.events import CANDIDATE, COLUMNS, list_columns, read_body, write_events
from tests.bundles import Registry
from tests.events import CANARY_NAMES, EVENTS, NAMES, Context, check_answer, load_event
from tests.functional.helpers import Query, Wire, count_rows, read_row

OUTCOME = UUID(EXAMPLE_OUTCOME["request_id"])
# One event is as API Gateway sends it with IAM in front, the other as without an authorizer.
CALLERS: dict[str, dict[str, str | None]] = {
    "predict": {"caller": "arn:aws:iam::123456789012:role/clinic", "caller_session": "integration"},
    "predict_base64": {"caller": None, "caller_session": None},
}
STORED = {"predict": 1, "predict_base64": 1, "predict_batch": 2}


@pytest.fixture(autouse=True)
def months(query: Query) -> None:
    """No rows without a month's partition, of which /health would tell. Other tests leave some."""
    query("DELETE FROM predictions_default")


@pytest.fixture
def canary(wire: Wire, registry: Registry) -> LambdaHandler:
    """An api whose candidate answers all requests."""
    registry.add_version(CANDIDATE)
    registry.point(candidate=CANDIDATE, mode="canary")
    return wire(MODEL_BUCKET=registry.bucket)


def test_outcome_of_the_event_is_stored(api: LambdaHandler, query: Query) -> None:
    # Other tests report this example as another caller, and the same value again changes nothing.
    query("DELETE FROM outcomes WHERE request_id = :id", id=OUTCOME)
    body = read_body(api(load_event("outcomes"), Context()))["body"]
    assert body["outcomes"] == 1
    rows = query(
        "SELECT request_id, value, reporter, reporter_session FROM outcomes WHERE request_id = :id", id=OUTCOME
    )
    assert rows == [[OUTCOME, EXAMPLE_OUTCOME["value"], "arn:aws:iam::123456789012:role/registry", "nightly"]]


def test_files_are_what_the_command_writes(tmp_path: Path, wire: Wire, canary: LambdaHandler) -> None:
    files = {path.name: path.read_bytes() for path in EVENTS.glob("*.json")}
    for name in files:
        shutil.copy(EVENTS / name, tmp_path)
    write_events(tmp_path, wire(), canary, wire("replay"))
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == files


def test_columns_are_those_of_the_table() -> None:
    assert json.loads((EVENTS.parent / COLUMNS).read_bytes()) == list_columns()


@pytest.mark.parametrize("name", NAMES)
def test_event_gets_its_answer_and_only_predictions_are_stored(name: str, api: LambdaHandler, query: Query) -> None:
    before = count_rows(query)
    check_answer(name, api(load_event(name), Context()))
    assert count_rows(query) == before + STORED.get(name, 0)


@pytest.mark.parametrize("name", CANARY_NAMES)
def test_event_in_a_canary_gets_its_answer(name: str, canary: LambdaHandler) -> None:
    check_answer(name, canary(load_event(name), Context()))


def test_record_of_the_canary_is_the_candidates(canary: LambdaHandler, query: Query) -> None:
    body = read_body(canary(load_event("predict_canary"), Context()))["body"]
    assert read_row(query, body["request_id"])["model_version"] == body["model_version"] == CANDIDATE


@pytest.mark.parametrize("name", CALLERS)
def test_answered_prediction_is_the_stored_row(
    name: str, api: LambdaHandler, query: Query, manifest: dict[str, Any]
) -> None:
    context = Context()
    before = datetime.now(UTC)
    body = read_body(api(load_event(name), context))["body"]
    after = datetime.now(UTC)
    assert body["request_id"] == context.aws_request_id
    row = read_row(query, body["request_id"])
    latency_ms, recorded_at = row.pop("latency_ms"), datetime.fromisoformat(row.pop("recorded_at"))
    created_at = datetime.fromisoformat(row.pop("created_at"))
    assert row == {
        "request_id": context.aws_request_id,
        **EXAMPLE_REQUEST,
        "prediction": body["prediction"],
        **{f"interval_{name}": value for name, value in body["interval"].items()},
        "model_version": manifest["version"],
        **CALLERS[name],
        "batch_id": None,
        "batch_index": None,
        "subject": None,
        "warnings": [],
        **dict.fromkeys(("shadow_version", "shadow_prediction", "shadow_lower", "shadow_upper", "shadow_coverage")),
        "shadow_ms": None,
    }
    assert row["interval_lower"] < row["prediction"] < row["interval_upper"]
    assert row["interval_coverage"] == manifest["interval"]["coverage"]
    assert created_at == datetime.fromisoformat(body["timestamp"])
    assert before <= created_at <= recorded_at <= after
    assert 0 < latency_ms < (after - before).total_seconds() * 1000
