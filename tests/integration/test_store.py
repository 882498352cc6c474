"""The statements: one row, which goes as parameters, is stored as each of many, which go as JSON."""

import contextlib
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pg8000.native
import pytest

from lambda_app.log.breaker import CLOSED
from lambda_app.log.database import Database, is_permanent_error
from lambda_app.log.store import insert_predictions
from lambda_app.settings import Settings
from local.records import make_record
from tests.records import insert

WARNINGS = [{"field": "bmi", "message": 'is "outside", \\ {NULL} ü'}]
ALONE = "SELECT to_jsonb(p) - ARRAY['request_id', 'batch_id', 'recorded_at'] FROM predictions p WHERE request_id = :id"


@pytest.mark.parametrize(
    "changed",
    [
        {},
        {"caller": "NULL", "warnings": WARNINGS},
        {"caller": "", "interval_lower": None, "interval_upper": None, "interval_coverage": None},
        {"interval_coverage": None},
        {"prediction": 0.1 + 0.2, "latency_ms": 1e-300, "interval_upper": 1.7976931348623157e308},
        {"features": {**make_record().features, "sex": 1.0, "bmi": 33.3333333333333357, "s4": 5e-324}},
    ],
)
def test_a_row_is_the_same_alone_as_among_others(
    changed: dict[str, Any], database: Database, query: Callable[..., list[Any]]
) -> None:
    alone = make_record(**changed, batch_id=uuid4(), batch_index=0)
    # Of another batch, since a place in one is taken once.
    among = replace(alone, request_id=uuid4(), batch_id=uuid4())
    insert(database, alone)
    insert(database, make_record(), among)
    [[one]], [[other]] = (query(ALONE, id=record.request_id) for record in (alone, among))
    assert one == other
    assert (one["prediction"], one["latency_ms"], one["bmi"]) == (
        alone.prediction,
        alone.latency_ms,
        alone.features["bmi"],
    )


def test_the_first_row_of_an_id_stays(database: Database, query: Callable[..., list[Any]]) -> None:
    first = make_record()
    insert(database, first)
    again = make_record(request_id=first.request_id, prediction=1.0)
    insert(database, again)
    insert(database, again, make_record())
    assert query("SELECT prediction FROM predictions WHERE request_id = :id", id=first.request_id) == [[151.0]]


@pytest.mark.parametrize("others", [0, 1])
@pytest.mark.parametrize("is_batch", [False, True])
def test_the_first_row_of_an_id_stays_where_lambda_runs_a_request_again(
    is_batch: bool, others: int, database: Database, query: Callable[..., list[Any]]
) -> None:
    # The moment of the second run is in another month, and so in another partition.
    at = datetime(datetime.now(UTC).year + 1, 1, 1, tzinfo=UTC)
    batch = {"batch_id": uuid4(), "batch_index": 0} if is_batch else {}
    first = make_record(created_at=at - timedelta(seconds=1), **batch)
    insert(database, first)
    for created_at in (at, at + timedelta(hours=23), at - timedelta(hours=24)):
        again = replace(first, created_at=created_at, prediction=1.0)
        insert(database, again, *(make_record() for _ in range(others)))
    assert query("SELECT prediction FROM predictions WHERE request_id = :id", id=first.request_id) == [[151.0]]


def test_who_writes_the_same_request_at_once_waits_and_finds_it_stored(
    settings: Settings, database: Database, query: Callable[..., list[Any]]
) -> None:
    first = make_record()
    again = replace(first, created_at=first.created_at + timedelta(seconds=1), prediction=1.0)
    counts = []
    with contextlib.closing(Database(settings)) as other, ThreadPoolExecutor(1) as executor:

        def write_first(connection: pg8000.native.Connection) -> "Future[int]":
            counts.append(insert_predictions(connection, [first]))
            waiting = executor.submit(other.run_statement, lambda c: insert_predictions(c, [again]))
            while query("SELECT FROM pg_locks WHERE locktype = 'advisory' AND NOT granted") == []:
                assert not waiting.done()
            return waiting

        counts.append(database.run_transaction(write_first).result())
    assert counts == [1, 0]
    assert query("SELECT prediction FROM predictions WHERE request_id = :id", id=first.request_id) == [[151.0]]


@pytest.mark.parametrize("count", [1, 2])
def test_half_a_character_is_refused_and_says_nothing_against_the_database(count: int, database: Database) -> None:
    with pytest.raises((UnicodeEncodeError, pg8000.native.DatabaseError)) as caught:
        insert(database, *(make_record(caller="\ud83d") for _ in range(count)))
    assert is_permanent_error(caught.value)
    assert database.breaker.state == CLOSED
