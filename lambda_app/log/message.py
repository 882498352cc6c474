"""The format of the queue's messages. They may wait for days, so messages of older versions must stay readable."""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict
from datetime import UTC, datetime
from math import isfinite
from typing import Any, TypeVar
from uuid import UUID

from lambda_app.log.record import OutcomeRecord, PredictionRecord, Record, Shadow
from problem.table import TABLE

FORMAT_VERSION = 3
# Of messages without a shadow, so that a replay function from before the candidates can read them.
_SHADOWLESS_VERSION = 2

# The name of the list in a message.
_PREDICTIONS, _OUTCOMES = "records", "outcomes"

# The default limit of SQS is 256 KiB.
MAX_MESSAGE_BYTES = 250_000

# Longer integers fit no column.
_MAX_INTEGER_DIGITS = 19


class MessageError(Exception):
    """A message that is completely or partly invalid; the text names the fault and quotes no value.

    `records` are the valid ones.
    """

    def __init__(self, text: str, records: Sequence[Record] = ()) -> None:
        super().__init__(text)
        self.records = records


def encode_messages(records: Sequence[Record]) -> Iterator[str]:
    """Encode records, all predictions or all outcomes, as message bodies, as few as the size limit allows."""
    name = _OUTCOMES if isinstance(records[0], OutcomeRecord) else _PREDICTIONS
    version = FORMAT_VERSION if any(map(_has_shadow, records)) else _SHADOWLESS_VERSION
    head, tail = f'{{"version":{version},"{name}":[', "]}"
    # Plain ASCII: one character is one byte.
    encoded: list[str] = []
    size = 0
    for record in records:
        text = json.dumps(_make_document(record, version), default=str, separators=(",", ":"))
        if encoded and size + len(text) > MAX_MESSAGE_BYTES:
            yield head + ",".join(encoded) + tail
            encoded, size = [], 0
        encoded.append(text)
        size += len(text) + 1
    yield head + ",".join(encoded) + tail


def decode_message(body: str) -> list[PredictionRecord] | list[OutcomeRecord]:
    """Return the records of a message, all predictions or all outcomes; raises MessageError.

    Each value must have exactly the form that `encode_messages` writes.
    """
    try:
        document = json.loads(body, object_pairs_hook=_make_object, parse_int=_parse_integer)
    except (ValueError, RecursionError) as error:
        raise MessageError(f"the message cannot be read: {type(error).__name__}") from None
    if not isinstance(document, dict) or type(document.get("version")) is not int:
        raise MessageError("the message is no object with a version")
    version = document.pop("version")
    if version not in _PREDICTION_READERS:
        raise MessageError("the message is of a version that this code does not know")
    match list(document.items()):
        case [(name, [*documents])] if name == _PREDICTIONS and documents:
            return _read_records(documents, name, _PREDICTION_READERS[version], _make_prediction)
        case [(name, [*documents])] if name == _OUTCOMES and documents and version >= 2:
            return _read_records(documents, name, _OUTCOME_READERS, _make_outcome)
    raise MessageError("the message must have a version and a list of records or outcomes, and nothing else")


_Reader = Callable[[Any, str], Any]
_Made = TypeVar("_Made", PredictionRecord, OutcomeRecord)


def _has_shadow(record: Record) -> bool:
    return isinstance(record, PredictionRecord) and record.shadow is not None


def _make_document(record: Record, version: int) -> dict[str, Any]:
    document = asdict(record)
    if isinstance(record, OutcomeRecord):
        return {"outcome_id": record.outcome_id, **document}
    if version == _SHADOWLESS_VERSION:
        del document["shadow"]
    return document


def _read_records(
    documents: Sequence[Any], name: str, readers: Mapping[str, _Reader], make: Callable[[dict[str, Any], str], _Made]
) -> list[_Made]:
    records, faults = [], []
    for index, one in enumerate(documents):
        place = f"{name}[{index}]"
        try:
            records.append(make(_read_object(one, readers, place), place))
        except MessageError as error:
            faults.append(str(error))
    if faults:
        others = f", and {len(faults) - 1} more records" if len(faults) > 1 else ""
        raise MessageError(f"{faults[0]}{others}", records)
    return records


def _make_prediction(values: dict[str, Any], _: str) -> PredictionRecord:
    return PredictionRecord(**values)


def _make_outcome(values: dict[str, Any], name: str) -> OutcomeRecord:
    outcome_id = values.pop("outcome_id")
    outcome = OutcomeRecord(**values)
    if outcome.outcome_id != outcome_id:
        raise MessageError(f"{name}.outcome_id must follow from the outcome")
    return outcome


def _make_object(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any] | tuple[()]:
    # If a name appears twice, the right value is unknown.
    made = dict(pairs)
    return made if len(made) == len(pairs) else ()


def _parse_integer(digits: str) -> float:
    # Python would refuse thousands of digits, and so the whole message.
    return int(digits) if len(digits) <= _MAX_INTEGER_DIGITS else float(digits)


def _read_object(value: Any, readers: Mapping[str, _Reader], name: str) -> dict[str, Any]:
    if not isinstance(value, dict) or value.keys() != readers.keys():
        raise MessageError(f"{name} must be an object with {', '.join(readers)}, each once, and nothing else")
    return {field: read(value[field], f"{name}.{field}") for field, read in readers.items()}


def _read_number(value: Any, name: str) -> float:
    if type(value) not in (int, float) or not isfinite(value):
        raise MessageError(f"{name} must be a finite number")
    return float(value)


def _read_integer(value: Any, name: str) -> int:
    if type(value) is not int:
        raise MessageError(f"{name} must be an integer")
    return value


def _read_text(value: Any, name: str) -> str:
    # PostgreSQL cannot store lone surrogates either.
    if not isinstance(value, str) or any("\ud800" <= character <= "\udfff" for character in value):
        raise MessageError(f"{name} must be Unicode text")
    return value


def _canonical(parse: Callable[[str], Any], kind: str) -> _Reader:
    """Return a reader that accepts only the text that `str` makes of the parsed value."""

    def read(value: Any, name: str) -> Any:
        with suppress(ValueError, OverflowError):
            parsed = parse(_read_text(value, name))
            if str(parsed) == value:
                return parsed
        raise MessageError(f"{name} must be {kind}")

    return read


def _read_warnings(value: Any, name: str) -> list[dict[str, str]]:
    if not isinstance(value, list):
        raise MessageError(f"{name} must be a list")
    return [_read_object(one, _WARNING, f"{name}[{index}]") for index, one in enumerate(value)]


def _or_null(read: _Reader) -> _Reader:
    return lambda value, name: None if value is None else read(value, name)


_read_id = _canonical(UUID, "a UUID in its canonical form")
_read_time = _canonical(
    lambda text: datetime.fromisoformat(text).astimezone(UTC), "a time such as 2026-01-31 23:59:59.999999+00:00"
)
_FEATURES: Mapping[str, _Reader] = dict.fromkeys(TABLE.names, _read_number)
_WARNING: Mapping[str, _Reader] = {"field": _read_text, "message": _read_text}
_FIRST_RECORD: Mapping[str, _Reader] = {
    "request_id": _read_id,
    "created_at": _read_time,
    "features": lambda value, name: _read_object(value, _FEATURES, name),
    "prediction": _read_number,
    "interval_lower": _or_null(_read_number),
    "interval_upper": _or_null(_read_number),
    "interval_coverage": _or_null(_read_number),
    "model_version": _read_text,
    "latency_ms": _read_number,
    "caller": _or_null(_read_text),
    "caller_session": _or_null(_read_text),
    "batch_id": _or_null(_read_id),
    "batch_index": _or_null(_read_integer),
    "warnings": _read_warnings,
}
_SECOND_RECORD: Mapping[str, _Reader] = {**_FIRST_RECORD, "subject": _or_null(_read_text)}
_SHADOW: Mapping[str, _Reader] = {
    "version": _read_text,
    "prediction": _read_number,
    "lower": _read_number,
    "upper": _read_number,
    "coverage": _or_null(_read_number),
    "ms": _read_number,
}
# By version of the format.
_PREDICTION_READERS: Mapping[int, Mapping[str, _Reader]] = {
    1: _FIRST_RECORD,
    _SHADOWLESS_VERSION: _SECOND_RECORD,
    FORMAT_VERSION: {
        **_SECOND_RECORD,
        "shadow": _or_null(lambda value, name: Shadow(**_read_object(value, _SHADOW, name))),
    },
}
# Since version 2.
_OUTCOME_READERS: Mapping[str, _Reader] = {
    "outcome_id": _read_id,
    "request_id": _read_id,
    "value": _read_number,
    "observed_at": _read_time,
    "reported_at": _read_time,
    "reporter": _or_null(_read_text),
    "reporter_session": _or_null(_read_text),
}
