"""An open erasure: which records it means, what it has counted and buried, and what holds keep from it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from lambda_app.maintain.tools import MaintenanceTools

# The erasure stops when Lambda has so little time left, and goes on with the next call.
SPARE_SECONDS = 120.0

_MEANT = {
    "subject": "predictions.subject = :subject AND (created_at <= :until OR recorded_at <= :until)",
    "request_id": "(request_id = :request_id OR batch_id = :request_id)",
}
# Of records outside the table. A key stays with the last row of its request.
_BURY = """
WITH buried AS (
    INSERT INTO tombstones (digest, erased_at, erasure_id)
    SELECT digest_request(request_id), CAST(:until AS timestamptz), :id FROM unnest(CAST(:ids AS uuid[])) AS request_id
    ON CONFLICT (digest) DO UPDATE SET erasure_id = EXCLUDED.erasure_id WHERE tombstones.erasure_id IS NULL
), deleted_keys AS (
    DELETE FROM idempotency_keys AS key
    WHERE (key.request_id = ANY(CAST(:ids AS uuid[])) OR key.request_id = ANY(CAST(:batch_ids AS uuid[])))
        AND NOT EXISTS (SELECT FROM predictions WHERE predictions.request_id = key.request_id)
        AND NOT EXISTS (SELECT FROM predictions WHERE predictions.batch_id = key.request_id)
    RETURNING 1
)
UPDATE erasures SET idempotency_keys = idempotency_keys + (SELECT count(*) FROM deleted_keys) WHERE id = :id
"""
_FIND_BURIED = """
SELECT digest FROM tombstones WHERE erasure_id = :id
UNION
SELECT digest_request(CAST(:request_id AS uuid)) WHERE CAST(:request_id AS uuid) IS NOT NULL
"""


class UnfinishedError(Exception):
    """The erasure stays open; the text says what it waits for."""


@dataclass(frozen=True)
class Erasure:
    """An open erasure; `searched_file` as in the table.

    Of a subject it means the records made or recorded until its tombstone: the clock of a writer may be ahead.
    """

    number: int
    subject: str | None
    request_id: UUID | None
    until: datetime
    searched_file: str | None
    is_held: bool
    read_at: datetime

    @property
    def meant(self) -> str:
        """The condition of its rows in `predictions`."""
        return _MEANT["request_id" if self.subject is None else "subject"]

    @property
    def values(self) -> dict[str, Any]:
        """The parameters of that condition."""
        if self.subject is None:
            return {"request_id": self.request_id}
        return {"subject": self.subject, "until": self.until}

    def means(self, request_id: UUID, batch_id: UUID | None, subject: str | None, first_time: datetime) -> bool:
        """Return True if a record outside the table is meant. It is known to have been there at `first_time`."""
        if self.subject is None:
            return self.request_id in (request_id, batch_id)
        return subject == self.subject and first_time <= self.until


class Progress:
    """The findings of one call about an erasure. `kept` has for each hold what it keeps, by place.

    `is_request_kept` says whether a hold keeps a prediction of the request that was asked for.
    """

    def __init__(self, tools: MaintenanceTools, number: int) -> None:
        self.tools = tools
        self.kept: dict[str, dict[str, int]] = {}
        self.is_request_kept = False
        self.unreadable_messages = 0
        self._number = number

    def select(self, statement: str, **values: Any) -> list[Any]:
        """Run a statement about the erasure of the number `:id`."""
        return self.tools.select(statement, id=self._number, **values)

    def bury(self, erasure: Erasure, ids: Sequence[UUID], batch_ids: Sequence[UUID | None]) -> None:
        """Keep the records of these ids from coming back, and delete their keys."""
        batches = [batch_id for batch_id in batch_ids if batch_id is not None]
        self.select(_BURY, until=erasure.until, ids=list(ids), batch_ids=batches)

    def find_unkept_request(self, erasure: Erasure) -> UUID | None:
        """The request that was asked for, unless a hold keeps it: it is buried in either case."""
        return None if self.is_request_kept else erasure.request_id

    def find_buried(self, erasure: Erasure) -> frozenset[bytes]:
        """The digests of the requests that are erased."""
        rows = self.select(_FIND_BURIED, request_id=self.find_unkept_request(erasure))
        return frozenset(bytes(digest) for [digest] in rows)

    def note_kept(self, place: str, counts: Mapping[int, int]) -> None:
        """Add what each hold keeps in a place."""
        for number, count in counts.items():
            places = self.kept.setdefault(str(number), {})
            places[place] = places.get(place, 0) + count

    def require_time(self) -> None:
        """UnfinishedError when the invocation ends soon."""
        if self.tools.seconds_left() < SPARE_SECONDS:
            raise UnfinishedError("time")
