"""Outcomes as the service stores, sends and exports them."""

import io
import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pyarrow as pa
import pyarrow.parquet as pq

from lambda_app.log.record import PredictionRecord

TIME = pa.timestamp("us", tz="UTC")
SCHEMA = pa.schema(
    [
        ("outcome_id", pa.string()),
        ("request_id", pa.string()),
        ("value", pa.float64()),
        ("observed_at", TIME),
        ("reported_at", TIME),
        ("recorded_at", TIME),
        ("reporter", pa.string()),
        ("reporter_session", pa.string()),
    ]
)
_INSERT = """
INSERT INTO outcomes
    (outcome_id, request_id, value, observed_at, reported_at, recorded_at, reporter, reporter_session)
SELECT
    outcome_id, request_id, value, observed_at, reported_at, coalesce(CAST(:at AS timestamptz), now()), reporter,
    reporter_session
FROM json_to_recordset(CAST(:rows AS json)) AS row (
    outcome_id uuid, request_id uuid, value float8, observed_at timestamptz, reported_at timestamptz, reporter text,
    reporter_session text
)
ON CONFLICT DO NOTHING
"""


@dataclass(frozen=True)
class Outcome:
    """A row of the table, without what the database adds."""

    outcome_id: UUID
    request_id: UUID
    value: float
    observed_at: datetime
    reported_at: datetime
    reporter: str | None = "reporter"
    reporter_session: str | None = None


def make_outcome(record: PredictionRecord, **changed: Any) -> Outcome:
    """One that was reported an hour after the prediction."""
    time = record.created_at + timedelta(hours=1)
    return replace(Outcome(uuid4(), record.request_id, 98.5, time, time), **changed)


def insert_outcomes(query: Callable[..., Any], *outcomes: Outcome, recorded_at: datetime | None = None) -> None:
    """Store them, by default now."""
    query(_INSERT, rows=json.dumps([asdict(outcome) for outcome in outcomes], default=str), at=recorded_at)


def count_outcomes(query: Callable[..., Any], *outcomes: Outcome) -> int:
    """How many of them the table has."""
    ids = [outcome.outcome_id for outcome in outcomes]
    [[found]] = query("SELECT count(*) FROM outcomes WHERE outcome_id = ANY (:ids)", ids=ids)
    return int(found)


def encode_outcomes(*outcomes: Outcome) -> str:
    """The message that has them."""
    items = [json.dumps(asdict(outcome), default=str, separators=(",", ":")) for outcome in outcomes]
    return '{"version":2,"outcomes":[' + ",".join(items) + "]}"


def make_outcome_file(outcomes: Sequence[Outcome]) -> bytes:
    """The content of an exported file, in row groups of two."""
    rows = [
        {
            **asdict(outcome),
            "outcome_id": str(outcome.outcome_id),
            "request_id": str(outcome.request_id),
            "recorded_at": outcome.reported_at.astimezone(UTC),
        }
        for outcome in outcomes
    ]
    body = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(rows, SCHEMA), body, compression="zstd", row_group_size=2)
    return body.getvalue()
