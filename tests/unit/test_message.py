"""The queue's messages: what goes in comes out, within the size that SQS takes."""

import math
from datetime import UTC
from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lambda_app.features import FEATURE_NAMES
from lambda_app.log.message import MAX_MESSAGE_BYTES, decode_message, encode_messages
from lambda_app.log.record import PredictionRecord
from tests.records import make_record

numbers = st.floats(allow_nan=False, allow_infinity=False)
records = st.builds(
    PredictionRecord,
    request_id=st.uuids(),
    created_at=st.datetimes(timezones=st.just(UTC)),
    features=st.fixed_dictionaries(dict.fromkeys(FEATURE_NAMES, numbers)),
    prediction=numbers,
    interval_lower=st.none() | numbers,
    interval_upper=st.none() | numbers,
    interval_coverage=st.none() | numbers,
    model_version=st.text(),
    latency_ms=numbers,
    caller=st.none() | st.text(),
    batch_id=st.none() | st.uuids(),
    batch_index=st.none() | st.integers(0, 999),
    warnings=st.lists(st.fixed_dictionaries({"field": st.text(), "message": st.text()}), max_size=2),
)


@given(st.lists(records, min_size=1, max_size=5))
def test_what_goes_in_comes_out(given_records: list[PredictionRecord]) -> None:
    [body] = encode_messages(given_records)
    assert decode_message(body) == given_records


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("name", ["prediction", "latency_ms", "interval_lower", "interval_upper", "interval_coverage"])
def test_no_record_holds_what_is_no_number(name: str, value: float) -> None:
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
