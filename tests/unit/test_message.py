"""The queue's messages: records survive them unchanged, within the size that SQS takes."""

import dataclasses
import json
import math
import re
from datetime import UTC, datetime, timedelta, timezone
from typing import Any
from uuid import UUID, uuid4, uuid5

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lambda_app.log.message import MAX_MESSAGE_BYTES, MessageError, decode_message, encode_messages
from lambda_app.log.record import OutcomeRecord, PredictionRecord, Shadow
from local.records import make_record
from problem.table import TABLE

numbers = st.floats(allow_nan=False, allow_infinity=False)
shadows = st.builds(
    Shadow,
    version=st.text(),
    prediction=numbers,
    lower=numbers,
    upper=numbers,
    coverage=st.none() | numbers,
    ms=numbers,
)
records = st.builds(
    PredictionRecord,
    request_id=st.uuids(),
    created_at=st.datetimes(timezones=st.just(UTC)),
    features=st.fixed_dictionaries(dict.fromkeys(TABLE.names, numbers)),
    prediction=numbers,
    interval_lower=st.none() | numbers,
    interval_upper=st.none() | numbers,
    interval_coverage=st.none() | numbers,
    model_version=st.text(),
    latency_ms=numbers,
    caller=st.none() | st.text(),
    subject=st.none() | st.text(),
    batch_id=st.none() | st.uuids(),
    batch_index=st.none() | st.integers(0, 999),
    warnings=st.lists(st.fixed_dictionaries({"field": st.text(), "message": st.text()}), max_size=2),
    shadow=st.none() | shadows,
)


@given(st.lists(records, min_size=1, max_size=5))
def test_records_are_decoded_as_they_were_encoded(given_records: list[PredictionRecord]) -> None:
    [body] = encode_messages(given_records)
    assert decode_message(body) == given_records


outcomes = st.builds(
    OutcomeRecord,
    request_id=st.uuids(),
    value=numbers,
    observed_at=st.datetimes(timezones=st.just(UTC)),
    reported_at=st.datetimes(timezones=st.just(UTC)),
    reporter=st.none() | st.text(),
    reporter_session=st.none() | st.text(),
)


@given(st.lists(outcomes, min_size=1, max_size=5))
def test_outcomes_are_decoded_as_they_were_encoded(given_outcomes: list[OutcomeRecord]) -> None:
    [body] = encode_messages(given_outcomes)
    assert decode_message(body) == given_outcomes


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("name", ["prediction", "latency_ms", "interval_lower", "interval_upper", "interval_coverage"])
def test_a_record_refuses_numbers_that_are_not_finite(name: str, value: float) -> None:
    with pytest.raises(ValueError, match="finite"):
        make_record(**{name: value})
    with pytest.raises(ValueError, match="finite"):
        make_record(features={**make_record().features, "s3": value})


@pytest.mark.parametrize("count", [1, 400, 1000])
def test_messages_are_as_few_as_their_size_allows(count: int) -> None:
    given_records = [make_record(batch_id=uuid4(), batch_index=index, caller="ü" * 40) for index in range(count)]
    bodies = list(encode_messages(given_records))
    assert [record for body in bodies for record in decode_message(body)] == given_records
    assert max(map(len, bodies)) <= MAX_MESSAGE_BYTES + 100
    assert max(map(len, bodies)) > MAX_MESSAGE_BYTES - 2000 or count == 1
    assert all(body.isascii() for body in bodies)


# As the first version wrote it. Never to be changed: it may lie in a queue.
FIRST_VERSION = """
{"version":1,"records":[{"request_id":"0b6f4a6e-6d0c-4b7a-9d55-2f6b1a3c9e10","created_at":"2026-07-05 12:34:56+00:00",
"features":{"age":59.0,"sex":2.0,"bmi":32.1,"bp":101.0,"s1":157.0,"s2":93.2,"s3":38.0,"s4":4.0,"s5":4.8598,"s6":87.0},
"prediction":151.25,"interval_lower":null,"interval_upper":null,"interval_coverage":null,
"model_version":"20260701T000000Z-0123abcd","latency_ms":1.5,"caller":null,"caller_session":null,
"batch_id":"5c0e8a1d-96f5-4b39-8f0e-7f3f1d2a4b6c","batch_index":3,"warnings":[{"field":"bmi","message":"\\u00fc"}]}]}
"""


def test_the_first_version_stays_readable() -> None:
    assert decode_message(FIRST_VERSION) == [
        make_record(
            request_id=UUID("0b6f4a6e-6d0c-4b7a-9d55-2f6b1a3c9e10"),
            created_at=datetime(2026, 7, 5, 12, 34, 56, tzinfo=UTC),
            prediction=151.25,
            interval_lower=None,
            interval_upper=None,
            interval_coverage=None,
            model_version="20260701T000000Z-0123abcd",
            batch_id=UUID("5c0e8a1d-96f5-4b39-8f0e-7f3f1d2a4b6c"),
            batch_index=3,
            warnings=[{"field": "bmi", "message": "ü"}],
        )
    ]


def test_the_second_version_has_a_subject() -> None:
    document = json.loads(FIRST_VERSION)
    document["version"] = 2
    document["records"][0]["subject"] = "case-17"
    assert decode_message(json.dumps(document)) == [
        dataclasses.replace(*decode_message(FIRST_VERSION), subject="case-17")
    ]


# As the third version writes it, which a shadow needs. Never to be changed.
SHADOW_TEXT = (
    '"shadow":{"version":"20260801T000000Z-89abcdef","prediction":149.5,'
    '"lower":61.0,"upper":240.0,"coverage":0.9,"ms":0.25}'
)


def test_the_third_version_has_a_shadow() -> None:
    record = dataclasses.replace(*decode_message(FIRST_VERSION), subject="case-17")
    body = json.dumps(json.loads(FIRST_VERSION)["records"][0])[:-1] + ', "subject": "case-17", ' + SHADOW_TEXT + "}"
    shadow = Shadow("20260801T000000Z-89abcdef", 149.5, 61.0, 240.0, 0.9, 0.25)
    shadowed = dataclasses.replace(record, shadow=shadow)
    assert decode_message(f'{{"version":3,"records":[{body}]}}') == [shadowed]
    [written] = encode_messages([shadowed, record])
    assert SHADOW_TEXT in written
    assert decode_message(written) == [shadowed, record]


def test_a_message_without_a_shadow_can_be_read_by_an_older_replay() -> None:
    [body] = encode_messages([make_record(), make_record()])
    assert body.startswith('{"version":2,')
    assert "shadow" not in body


SHADOW: dict[str, Any] = {
    "version": "v2",
    "prediction": 149.5,
    "lower": 61.0,
    "upper": 240.0,
    "coverage": None,
    "ms": 0.25,
}


@pytest.mark.parametrize(
    "shadow",
    [
        *([], "v2", {}, {"version": "v2"}, {**SHADOW, "more": 1}),
        *({**SHADOW, "prediction": value} for value in ("1", None, True, math.nan, math.inf)),
        *({**SHADOW, "version": value} for value in (None, 1)),
        *({**SHADOW, "ms": value} for value in (None, math.nan)),
    ],
    ids=str,
)
def test_a_shadow_in_another_form_is_refused(shadow: Any) -> None:
    [body] = encode_messages([make_record(shadow=Shadow(**SHADOW)), make_record()])
    document = json.loads(body)
    assert document["records"][0]["shadow"] == SHADOW
    document["records"][0]["shadow"] = shadow
    with pytest.raises(MessageError, match=r"^records\[0\]\.shadow") as caught:
        decode_message(json.dumps(document))
    assert len(caught.value.records) == 1


@pytest.mark.parametrize("name", ["prediction", "lower", "upper", "coverage", "ms"])
def test_a_shadow_refuses_numbers_that_are_not_finite(name: str) -> None:
    with pytest.raises(ValueError, match="finite"):
        Shadow(**{**SHADOW, name: math.nan})


ID = "0b6f4a6e-6d0c-4b7a-9d55-2f6b1a3c9e10"


WRONG_IDS = [5, ID.upper(), ID.replace("-", ""), f"{{{ID}}}", f"urn:uuid:{ID}", f" {ID}", f"{ID}\n", "", [ID]]
WRONG_NUMBERS = ["5", "", "1_0", True, [1], {}, math.nan, math.inf, 10**400]
WRONG_TEXTS = [5, 1.5, True, ["a"], {}, "\ud800", "a\udfff"]
WRONG: dict[str, list[Any]] = {
    "request_id": WRONG_IDS,
    "batch_id": WRONG_IDS,
    "created_at": [
        *(1783254896, "infinity", "now", "2026-07-05", "2026-07-05 12:34:56", "2026-07-05T12:34:56+00:00"),
        *("2026-07-05 12:34:56Z", "2026-07-05 14:34:56+02:00", "2026-07-05 12:34:56.5+00:00"),
        *("20260705 123456+00:00", "2026-W27-7 12:34:56+00:00", "05/07/2026 12:34:56+00:00"),
        "0001-01-01 00:00:00+23:59",
    ],
    "prediction": [*WRONG_NUMBERS, None],
    "latency_ms": WRONG_NUMBERS,
    "interval_lower": WRONG_NUMBERS,
    "batch_index": [1.0, "1", True, 1e999, 10**30, []],
    "model_version": [*WRONG_TEXTS, None],
    "caller": WRONG_TEXTS,
    "caller_session": WRONG_TEXTS,
    "subject": WRONG_TEXTS,
    "warnings": [
        *[None, "", {}, [None], ["bmi"], [{"field": "bmi"}], [{"field": "bmi", "message": 5}]],
        *[[{"field": "bmi", "message": "", "more": ""}], [{"field": "\ud800", "message": ""}]],
    ],
    "features": [
        *[None, [], {}, ""],
        *[{**make_record().features, "bmi": value} for value in ("32.1", None, True, math.nan)],
        {**make_record().features, "more": 1.0},
    ],
    "more": [1],
}


@pytest.mark.parametrize(("field", "value"), [(field, value) for field, values in WRONG.items() for value in values])
def test_a_value_in_another_form_is_refused(field: str, value: object) -> None:
    record = make_record(batch_id=uuid4(), batch_index=0)
    [body] = encode_messages([record, make_record()])
    document = json.loads(body)
    document["records"][0][field] = value
    with pytest.raises(MessageError, match=rf"^records\[0\]({re.escape('.' + field)}| must)") as caught:
        decode_message(json.dumps(document))
    assert len(caught.value.records) == 1


@pytest.mark.parametrize("field", [*json.loads(next(encode_messages([make_record()])))["records"][0]])
def test_a_missing_or_repeated_field_is_refused(field: str) -> None:
    [body] = encode_messages([make_record()])
    document = json.loads(body)
    written = f"{json.dumps(field)}:{json.dumps(document['records'][0][field], separators=(',', ':'))}"
    for changed in ("", f"{written},{written}", f'"caller":{{"a":1,"a":2}},{written}'):
        damaged = body.replace(f"{written},", f"{changed},".lstrip(",")).replace(
            f",{written}", f",{changed}".rstrip(",")
        )
        assert damaged != body
        with pytest.raises(MessageError):
            decode_message(damaged)


@pytest.mark.parametrize(
    "version", ["4", "0", "-1", "true", "1.0", '"1"', "null", "[]", "1e0", '1,"version":1', '1,"more":1']
)
def test_another_version_is_refused(version: str) -> None:
    [body] = encode_messages([make_record()])
    with pytest.raises(MessageError, match=r"^the message "):
        decode_message(body.replace('"version":2', f'"version":{version}'))


# Never to be changed: it may lie in a queue.
OUTCOME_MESSAGE = """
{"version":2,"outcomes":[{"outcome_id":"9744caaa-1aa7-56d3-95ed-46121314a888",
"request_id":"0b6f4a6e-6d0c-4b7a-9d55-2f6b1a3c9e10","value":151.25,"observed_at":"2026-07-05 12:34:56+00:00",
"reported_at":"2026-07-06 01:02:03.000004+00:00","reporter":"arn:aws:iam::123456789012:role/registry",
"reporter_session":null}]}
"""
OUTCOME = OutcomeRecord(
    UUID(ID),
    151.25,
    datetime(2026, 7, 5, 12, 34, 56, tzinfo=UTC),
    datetime(2026, 7, 6, 1, 2, 3, 4, tzinfo=UTC),
    "arn:aws:iam::123456789012:role/registry",
)


def test_the_message_of_outcomes_stays_readable() -> None:
    assert decode_message(OUTCOME_MESSAGE) == [OUTCOME]
    assert json.loads(*encode_messages([OUTCOME])) == json.loads(OUTCOME_MESSAGE)


def test_the_id_of_an_outcome_follows_from_request_value_and_moment() -> None:
    assert OUTCOME.outcome_id == uuid5(UUID(ID), "151.25 2026-07-05T12:34:56+00:00")
    elsewhere = OUTCOME.observed_at.astimezone(timezone(timedelta(hours=5, minutes=30)))
    same = dataclasses.replace(OUTCOME, observed_at=elsewhere, reported_at=OUTCOME.observed_at, reporter=None)
    assert same.outcome_id == OUTCOME.outcome_id
    later = OUTCOME.observed_at + timedelta(microseconds=1)
    for changed in ({"value": 151.0}, {"observed_at": later}, {"request_id": uuid4()}):
        assert dataclasses.replace(OUTCOME, **changed).outcome_id != OUTCOME.outcome_id


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_an_outcome_refuses_numbers_that_are_not_finite(value: float) -> None:
    with pytest.raises(ValueError, match="finite"):
        dataclasses.replace(OUTCOME, value=value)


WRONG_IN_OUTCOMES: dict[str, list[Any]] = {
    "outcome_id": [*WRONG_IDS, None, ID],
    "request_id": [*WRONG_IDS, None],
    "value": [*WRONG_NUMBERS, None, 151.0],
    "observed_at": [*WRONG["created_at"], None],
    "reported_at": [*WRONG["created_at"], None],
    "reporter": WRONG_TEXTS,
    "reporter_session": WRONG_TEXTS,
    "more": [1],
}


@pytest.mark.parametrize(
    ("field", "value"), [(field, value) for field, values in WRONG_IN_OUTCOMES.items() for value in values]
)
def test_a_value_of_an_outcome_in_another_form_is_refused(field: str, value: object) -> None:
    good = dataclasses.replace(OUTCOME, value=1.0)
    document = json.loads(*encode_messages([OUTCOME, good]))
    document["outcomes"][0][field] = value
    # A changed value is found by the id, which follows from it.
    with pytest.raises(MessageError, match=r"^outcomes\[0\](\.(outcome_id|" + field + ") | must)") as caught:
        decode_message(json.dumps(document))
    assert caught.value.records == [good]


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ('"version":2', '"version":1'),
        ('"version":2', '"version":4'),
        ('"outcomes":', '"records":'),
        ('"outcomes":', '"outcome":'),
        ('"outcomes":[', '"records":[],"outcomes":['),
        ('"outcomes":[', '"outcomes":[[],'),
        ('"reporter_session":null', '"reporter_session":null,"reporter":null'),
    ],
)
def test_another_form_of_the_message_is_refused(before: str, after: str) -> None:
    [body] = encode_messages([OUTCOME])
    assert before in body
    with pytest.raises(MessageError):
        decode_message(body.replace(before, after))


def test_a_message_without_outcomes_is_refused() -> None:
    for listed in ("[]", "{}", "null", '""', "[1]", "[null]"):
        with pytest.raises(MessageError):
            decode_message(f'{{"version":2,"outcomes":{listed}}}')
