"""The parts that tests of erasure share: the request for one, and what is left."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from lambda_app.log.record import PredictionRecord
from tests.functional.helpers import Query

DAY = "2026-03-01"
LONG_AGO = datetime(2026, 3, 1, 12, tzinfo=UTC)
WHY = {"reason": "asked for by letter", "by": "arn:aws:iam::123456789012:user/ada"}

Hold = Callable[..., int]
Erase = Callable[..., dict[str, Any]]


def count(query: Query, *records: PredictionRecord) -> int:
    [[found]] = query(
        "SELECT count(*) FROM predictions WHERE request_id = ANY(:ids)", ids=[r.request_id for r in records]
    )
    return int(found)


def read_erasure(query: Query, number: int) -> dict[str, Any]:
    [[row]] = query("SELECT to_json(erasures) FROM erasures WHERE id = :id", id=number)
    return dict(row)


def make_counts(**counts: int) -> dict[str, int]:
    """The counts of what is erased, with zero for all else."""
    return dict.fromkeys(("predictions", "outcomes", "idempotency_keys", "messages", "exported_rows"), 0) | counts
