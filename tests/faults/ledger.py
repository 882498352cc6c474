"""The requests, the answers and the rows of the table: the facts by which the drill is judged."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid5

import pg8000.native

from problem.table import TABLE


@dataclass(frozen=True)
class Asked:
    """A client's question. With a key the client asks again after an error, and once more after the answer."""

    patients: Sequence[Mapping[str, float]]
    is_batch: bool = False
    caller: str | None = None
    key: str | None = None


@dataclass(frozen=True)
class Answer:
    """One prediction, as in an answer or in a row."""

    request_id: UUID
    prediction: float
    interval: tuple[float, float, float | None]
    model_version: str
    made_at: datetime
    warnings: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Attempt:
    """One request and its response. It has no status if the environment died."""

    request_id: UUID
    asked: Asked
    fault: str
    seconds: float
    status: int | None
    record: str | None = None
    replayed: bool = False
    retry_after: str | None = None
    answers: tuple[Answer, ...] = ()

    @property
    def row_ids(self) -> list[UUID]:
        """The ids of the rows that this request may make."""
        if self.asked.is_batch:
            return [uuid5(self.request_id, str(index)) for index in range(len(self.asked.patients))]
        return [self.request_id]

    @property
    def outcome(self) -> str:
        if self.status == 200:
            return "replayed" if self.replayed else str(self.record)
        return "died" if self.status is None else "refused"


@dataclass(frozen=True)
class Told:
    """What a version predicted: the prediction, and lower end, upper end and coverage of its interval."""

    version: str
    prediction: float
    interval: tuple[float, float, float | None]


@dataclass(frozen=True)
class Row:
    """A row of the table. `shadow` is the candidate's prediction beside the answer, if it made one."""

    answer: Answer
    patient: Mapping[str, float]
    caller: str | None = None
    batch_id: UUID | None = None
    batch_index: int | None = None
    shadow: Told | None = None


def read_answers(body: Mapping[str, Any]) -> tuple[Answer, ...]:
    """Return the predictions in the body of a response. An error has none."""
    items = body.get("predictions", [body] if "prediction" in body else [])
    return tuple(
        Answer(
            UUID(item["request_id"]),
            item["prediction"],
            (item["interval"]["lower"], item["interval"]["upper"], item["interval"]["coverage"]),
            # A batch may meet several models during a canary.
            item["model_version"],
            datetime.fromisoformat(body["timestamp"]),
            _read_warnings(item["warnings"]),
        )
        for item in items
    )


def make_attempt(
    request_id: UUID, asked: Asked, fault: str, seconds: float, response: Mapping[str, Any] | None
) -> Attempt:
    """Read the handler's response as a client does."""
    if response is None:
        return Attempt(request_id, asked, fault, seconds, None)
    headers = response["headers"]
    return Attempt(
        request_id,
        asked,
        fault,
        seconds,
        response["statusCode"],
        headers.get("x-prediction-record"),
        headers.get("idempotency-replayed") == "true",
        headers.get("retry-after"),
        read_answers(json.loads(response["body"])),
    )


def read_rows(connection: pg8000.native.Connection) -> list[Row]:
    """Read the whole table."""
    columns = ["request_id", "prediction", "interval_lower", "interval_upper", "interval_coverage", "model_version"]
    columns += ["created_at", "warnings", "caller", "batch_id", "batch_index"]
    columns += [f"shadow_{name}" for name in ("version", "prediction", "lower", "upper", "coverage")]
    columns += TABLE.names
    found = connection.run(f"SELECT {', '.join(columns)} FROM predictions") or []
    return [
        Row(
            Answer(row[0], row[1], (row[2], row[3], row[4]), row[5], row[6].astimezone(UTC), _read_warnings(row[7])),
            dict(zip(TABLE.names, row[16:], strict=True)),
            row[8],
            row[9],
            row[10],
            None if row[11] is None else Told(row[11], row[12], (row[13], row[14], row[15])),
        )
        for row in found
    ]


def _read_warnings(warnings: Sequence[Mapping[str, str]] | None) -> tuple[tuple[str, str], ...]:
    return tuple((one["field"], one["message"]) for one in warnings or ())
