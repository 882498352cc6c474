"""The statements: one row, which goes as parameters, is stored as each of many, which go as JSON."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any
from uuid import uuid4

import pg8000.native
import pytest

from lambda_app.log.breaker import CLOSED
from lambda_app.log.database import Database, is_refused
from tests.records import insert, make_record

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


@pytest.mark.parametrize("count", [1, 2])
def test_half_a_character_is_refused_and_says_nothing_against_the_database(count: int, database: Database) -> None:
    with pytest.raises((UnicodeEncodeError, pg8000.native.DatabaseError)) as caught:
        insert(database, *(make_record(caller="\ud83d") for _ in range(count)))
    assert is_refused(caught.value)
    assert database.breaker.state == CLOSED
