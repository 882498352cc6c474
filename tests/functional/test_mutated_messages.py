"""Whatever lies in the queue: a record is stored as it is, or the dead-letter queue has it; none comes for ever."""

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any
from uuid import uuid4

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lambda_app.log.database import Database
from lambda_app.log.message import MessageError, decode_message, encode_messages
from lambda_app.log.record import PredictionRecord
from lambda_app.log.store import find_request
from lambda_app.telemetry import LambdaHandler
from local.records import make_record
from tests.functional.helpers import Queues
from tests.functional.test_replay import find_failures, make_event

# As raw JSON, since some of it Python would not write.
ODD_VALUES = [
    *("null", "true", "false", "0", "-0", "-1", "5", "1e999", "-1e999", "1e-400", "NaN", "Infinity", "1.5", "2.0"),
    *("1" + "0" * 400, "1" + "0" * 5000, "2147483648", "9223372036854775808", "1.7976931348623157e308"),
    *('""', '"5"', '"\\u0000"', '"\\ud800"', '"\\ude00\\ud83d"', '"NaN"', '"now"', '"東"', '"a\\\\b"', '"\\"'),
    *("[]", "{}", "[1]", '{"a":1}', '{"a":1,"a":2}', "[" * 2000 + "]" * 2000, json.dumps("x" * 9000)),
    *('"0B6F4A6E-6D0C-4B7A-9D55-2F6B1A3C9E10"', '"0b6f4a6e6d0c4b7a9d552f6b1a3c9e10"', '"05/07/2026 00:00"'),
    *('"2026-07-05 12:00:00"', '"9999-12-31 23:59:59.999999+00:00"', '"0001-01-01 00:00:00+00:00"', '"infinity"'),
]

# SQS takes no others.
_CHARACTERS = st.characters(min_codepoint=32, exclude_categories=["Cs"], exclude_characters="\ufffe\uffff")


def find_spans(body: str) -> Iterator[tuple[int, int]]:
    """The place of each value in a JSON text, and of the whole text."""
    decoder = json.JSONDecoder()
    for start in range(len(body)):
        if start == 0 or body[start - 1] in ":[,":
            try:
                _, end = decoder.raw_decode(body, start)
            except ValueError:
                continue
            yield start, end


@st.composite
def mutated_bodies(draw: st.DrawFn) -> tuple[Sequence[PredictionRecord], str]:
    """Some records, and their message with a value, a name or a stretch of text changed."""
    batch_id = uuid4() if draw(st.booleans()) else None
    records = [
        make_record(
            request_id=uuid4(), caller="ada", batch_id=batch_id, batch_index=None if batch_id is None else index
        )
        for index in range(draw(st.integers(1, 3)))
    ]
    [body] = encode_messages(records)
    if draw(st.booleans()):
        start, end = draw(st.sampled_from(list(find_spans(body))))
        changed = draw(st.sampled_from(ODD_VALUES))
    else:
        start = draw(st.integers(0, len(body)))
        end = draw(st.integers(start, min(len(body), start + 40)))
        changed = draw(
            st.sampled_from(["", body[start:end] * 2, *'0"{}[],:\\-\x7f\xa0']) | st.text(_CHARACTERS, max_size=3)
        )
    return records, body[:start] + changed + body[end:]


def _avoid_ends(record: PredictionRecord) -> datetime:
    """A time within a day of the record's, so that a day before and after it are times too."""
    day = timedelta(days=1)
    first, last = datetime.min.replace(tzinfo=UTC) + day, datetime.max.replace(tzinfo=UTC) - day
    return min(max(record.created_at, first), last)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(made=mutated_bodies(), is_first_stored=st.booleans())
def test_each_record_is_stored_or_dead_lettered(
    made: tuple[Sequence[PredictionRecord], str],
    is_first_stored: bool,
    replay: LambdaHandler,
    queues: Queues,
    database: Database,
) -> None:
    records, body = made
    if is_first_stored:
        assert find_failures(replay, make_event(*encode_messages(records[:1]))) == []
    assert find_failures(replay, make_event(body)) == []
    dead = queues.drain_dead_letters()
    try:
        read: Sequence[Any] = decode_message(body)
        kept: Sequence[Any] = [record for letter in dead for record in decode_message(letter)]
    except MessageError as error:
        read = kept = error.records
        assert dead == [body]
    stored = [
        one
        for record in read
        for one in database.run_statement(partial(find_request, request_id=record.request_id, near=_avoid_ends(record)))
    ]
    ids = Counter(record.request_id for record in read)
    places: Counter[object] = Counter((record.batch_id, record.batch_index) for record in read if record.batch_id)
    for record in read:
        assert record in stored or record in kept
        # The good ones, unless the change gave their place to another.
        if record in records and ids[record.request_id] == 1 and places[record.batch_id, record.batch_index] <= 1:
            assert record in stored
    # The same again when SQS delivers it twice.
    assert find_failures(replay, make_event(body)) == []
    assert queues.drain_dead_letters() == dead
