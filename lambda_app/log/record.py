"""The record of an answer, and the idempotency key of a request."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from math import isfinite
from uuid import UUID


@dataclass(frozen=True)
class PredictionRecord:
    """One prediction. `latency_ms` is the time from the arrival of the request to the creation of this record.

    `subject` is the caller's reference to the person or thing of the case. `caller` comes from the gateway, and
    `caller_session` too if the caller is a role. `batch_id` is the id of a batch request, `batch_index` the place in
    it. Each warning has `field` and `message`. Old rows have no interval. Raises ValueError for NaN and infinities,
    because PostgreSQL would store them.
    """

    request_id: UUID
    created_at: datetime
    features: Mapping[str, float]
    prediction: float
    interval_lower: float | None
    interval_upper: float | None
    interval_coverage: float | None
    model_version: str
    latency_ms: float
    caller: str | None = None
    caller_session: str | None = None
    subject: str | None = None
    batch_id: UUID | None = None
    batch_index: int | None = None
    warnings: Sequence[Mapping[str, str]] = ()

    def __post_init__(self) -> None:
        interval = (self.interval_lower, self.interval_upper, self.interval_coverage)
        for number in (*self.features.values(), self.prediction, self.latency_ms, *interval):
            if number is not None and not isfinite(number):
                raise ValueError("a record holds what is not a finite number")


@dataclass(frozen=True)
class IdempotencyKey:
    """A caller's key, with a SHA-256 of the request's values, and the request id."""

    caller: str | None
    key: str
    fingerprint: bytes
    request_id: UUID
