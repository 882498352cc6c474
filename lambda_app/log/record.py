"""The records of an answer and of an outcome, and the idempotency key of a request."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from math import isfinite
from uuid import UUID, uuid5

from lambda_app.errors import OutcomesRefusedError

# The clocks of a reporter and of the service may differ by so much.
CLOCK_SKEW = timedelta(minutes=5)


@dataclass(frozen=True)
class Shadow:
    """The prediction of a candidate for the case of a record; it was not the answer.

    `ms` is the time that it took. Raises ValueError for NaN and infinities.
    """

    version: str
    prediction: float
    lower: float
    upper: float
    coverage: float | None
    ms: float

    def __post_init__(self) -> None:
        for number in (self.prediction, self.lower, self.upper, self.coverage, self.ms):
            if number is not None and not isfinite(number):
                raise ValueError("a shadow holds what is not a finite number")


@dataclass(frozen=True)
class PredictionRecord:
    """One prediction. `latency_ms` is the time from the arrival of the request to the creation of this record.

    `subject` is the caller's reference to the person or thing of the case. `caller` comes from the gateway, and
    `caller_session` too if the caller is a role. `batch_id` is the id of a batch request, `batch_index` the place in
    it. Each warning has `field` and `message`. Old rows have no interval. `shadow` is what a candidate predicted beside
    this; records that were read have none. Raises ValueError for NaN and infinities, because PostgreSQL would store
    them.
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
    shadow: Shadow | None = None

    def __post_init__(self) -> None:
        interval = (self.interval_lower, self.interval_upper, self.interval_coverage)
        for number in (*self.features.values(), self.prediction, self.latency_ms, *interval):
            if number is not None and not isfinite(number):
                raise ValueError("a record holds what is not a finite number")


@dataclass(frozen=True)
class OutcomeRecord:
    """A reported outcome: what really happened to the case of a prediction.

    `request_id` is that of the prediction, and `value` the true value of the target. `reporter` and `reporter_session`
    are the caller of the report. Raises ValueError for NaN and infinities.
    """

    request_id: UUID
    value: float
    observed_at: datetime
    reported_at: datetime
    reporter: str | None = None
    reporter_session: str | None = None

    def __post_init__(self) -> None:
        if not isfinite(self.value):
            raise ValueError("an outcome is not a finite number")

    @property
    def outcome_id(self) -> UUID:
        """The id of the row. It follows from the report, so that the same report again is the same row."""
        return uuid5(self.request_id, f"{self.value!r} {self.observed_at.astimezone(UTC).isoformat()}")


def require_possible(outcomes: Sequence[OutcomeRecord]) -> None:
    """Raise OutcomesRefusedError for what cannot be together, or not yet: a prediction twice, a time in the future."""
    refused: dict[str, str] = {}
    seen: set[UUID] = set()
    for index, outcome in enumerate(outcomes):
        if outcome.request_id in seen:
            refused[f"outcomes[{index}].request_id"] = "is given more than once"
        seen.add(outcome.request_id)
        if outcome.observed_at > outcome.reported_at + CLOCK_SKEW:
            refused[f"outcomes[{index}].observed_at"] = "is in the future"
    if refused:
        raise OutcomesRefusedError(refused)


def require_later(outcomes: Sequence[OutcomeRecord], predicted_at: Mapping[UUID, datetime]) -> None:
    """Raise OutcomesRefusedError for outcomes from before their prediction; its time may be unknown."""
    refused = {
        f"outcomes[{index}].observed_at": "is before the prediction"
        for index, outcome in enumerate(outcomes)
        if outcome.observed_at < predicted_at.get(outcome.request_id, outcome.observed_at)
    }
    if refused:
        raise OutcomesRefusedError(refused)


# What the queue may hold.
Record = PredictionRecord | OutcomeRecord


@dataclass(frozen=True)
class IdempotencyKey:
    """A caller's key, with a SHA-256 of the request's values, and the request id."""

    caller: str | None
    key: str
    fingerprint: bytes
    request_id: UUID
