"""The format of the queue's messages. Messages may wait for days: what an older version wrote must stay readable."""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any, TypeVar
from uuid import UUID

from lambda_app.features import FEATURE_NAMES
from lambda_app.log.record import PredictionRecord

FORMAT_VERSION = 1

# SQS takes 256 KiB where a queue was not told to take more.
MAX_MESSAGE_BYTES = 250_000

Value = TypeVar("Value")


class MessageError(Exception):
    """A message that is none of ours; the text says what is wrong and quotes no value."""


def encode_messages(records: Sequence[PredictionRecord]) -> Iterator[str]:
    """The records as message bodies, as few as their size allows."""
    head, tail = f'{{"version":{FORMAT_VERSION},"records":[', "]}"
    # Plain ASCII, so that a character is a byte.
    encoded: list[str] = []
    size = 0
    for record in records:
        text = json.dumps(asdict(record), default=str, separators=(",", ":"))
        if encoded and size + len(text) > MAX_MESSAGE_BYTES:
            yield head + ",".join(encoded) + tail
            encoded, size = [], 0
        encoded.append(text)
        size += len(text) + 1
    yield head + ",".join(encoded) + tail


def decode_message(body: str) -> list[PredictionRecord]:
    """The records of a message; raises MessageError."""
    try:
        document = json.loads(body)
        if document["version"] != FORMAT_VERSION:
            raise MessageError("the message is of a version that this code does not know")
        return [_decode_record(record) for record in document["records"]]
    except (KeyError, TypeError, ValueError, RecursionError) as error:
        raise MessageError(f"the message cannot be read: {type(error).__name__}") from None


def _decode_record(document: Mapping[str, Any]) -> PredictionRecord:
    created_at = datetime.fromisoformat(document["created_at"])
    if created_at.tzinfo is None:
        raise ValueError("a time without its offset")
    return PredictionRecord(
        request_id=UUID(document["request_id"]),
        created_at=created_at,
        features={name: float(document["features"][name]) for name in FEATURE_NAMES},
        prediction=float(document["prediction"]),
        interval_lower=_decode_optional(float, document["interval_lower"]),
        interval_upper=_decode_optional(float, document["interval_upper"]),
        interval_coverage=_decode_optional(float, document["interval_coverage"]),
        model_version=str(document["model_version"]),
        latency_ms=float(document["latency_ms"]),
        caller=_decode_optional(str, document["caller"]),
        batch_id=_decode_optional(UUID, document["batch_id"]),
        batch_index=_decode_optional(int, document["batch_index"]),
        warnings=[{"field": str(one["field"]), "message": str(one["message"])} for one in document["warnings"]],
    )


def _decode_optional(convert: Callable[[Any], Value], value: Any) -> Value | None:
    return None if value is None else convert(value)
