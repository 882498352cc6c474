"""Shows everything that is held about a subject, in pages: an answer of Lambda has 6 MB at most."""

import json
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

import pyarrow.compute as pc

from lambda_app.maintain.exported import ExportedFiles, list_fields
from lambda_app.maintain.holds import list_keeping_holds
from lambda_app.maintain.messages import find_items
from lambda_app.maintain.parameters import read_subject
from lambda_app.maintain.queued import QueuedRecord
from lambda_app.maintain.shown_outcomes import find_outcomes
from lambda_app.maintain.tables import PREDICTIONS
from lambda_app.maintain.tools import MaintenanceTools
from lambda_app.tasks import TaskError

# Time for the outcomes and the messages, which come last.
SPARE_SECONDS = 400.0
# Of the records in a page, as JSON.
PAGE_BYTES = 3_000_000
CHUNK_ROWS = 1000

_RECORDS = """
SELECT to_json(predictions) FROM predictions
WHERE subject = :subject AND (created_at, request_id) > (CAST(:created_at AS timestamptz), CAST(:request_id AS uuid))
ORDER BY created_at, request_id
LIMIT :chunk
"""
_STORED = "SELECT request_id FROM predictions WHERE subject = :subject AND request_id = ANY(CAST(:ids AS uuid[]))"
_KEYS = """
SELECT to_json(key) FROM (
    SELECT caller, idempotency_key, request_id, created_at FROM idempotency_keys
    WHERE request_id = ANY(CAST(:ids AS uuid[])) ORDER BY created_at
) AS key
"""
_ERASURES = """
SELECT to_json(erasure) FROM (
    SELECT id, reason, requested_by, requested_at FROM erasures WHERE subject = :subject
) AS erasure
"""
_FIRST = ["table", "-infinity", str(UUID(int=0))]


class _Page:
    """The records of an answer."""

    def __init__(self) -> None:
        self.records: list[dict[str, Any]] = []
        self._bytes = 0

    def add(self, place: str, record: Mapping[str, Any]) -> None:
        self.records.append({"place": place, **record})
        self._bytes += len(json.dumps(record))

    @property
    def is_full(self) -> bool:
        return self._bytes >= PAGE_BYTES


def show(tools: MaintenanceTools, event: Mapping[str, Any]) -> dict[str, Any]:
    """Return what is held about `subject`: the first page, or the one `after` the "next" of another.

    First come the records of the table, then those of the exported files that the table no longer has, and with the
    last page messages and the open erasure. Each page has what belongs to its records: Idempotency-Keys, outcomes
    wherever they are, and the holds that keep them.
    """
    subject = read_subject(event)
    place = _read_place(event)
    page = _Page()
    following: list[Any] | None = None
    if place[0] == "table":
        following = _add_stored(tools, subject, place, page)
        place = ["files", "", 0]
    if following is None:
        following = _add_exported(tools, subject, place, page)
    rest: dict[str, Any] = {"next": following} if following is not None else _find_rest(tools, subject)
    records = [*page.records, *rest.get("messages", [])]
    # A message may lack what is not required.
    ids = {record[name] for record in records for name in ("request_id", "batch_id") if record.get(name)}
    outcomes = find_outcomes(tools, {record["request_id"]: _read_time(record) for record in records})
    return {
        "records": page.records,
        "outcomes": outcomes,
        "idempotency_keys": _select(tools, _KEYS, ids=sorted(ids)),
        "holds": list_keeping_holds(tools, subject, _list_hold_values(records, outcomes)),
        **rest,
    }


def _read_time(record: Mapping[str, Any]) -> datetime:
    return datetime.fromisoformat(record["created_at"])


def _list_hold_values(
    records: Iterable[Mapping[str, Any]], outcomes: Iterable[Mapping[str, Any]]
) -> list[tuple[str | None, datetime]]:
    """The callers and times by which a hold keeps them."""
    return [
        *((record.get("caller"), _read_time(record)) for record in records),
        *((None, datetime.fromisoformat(outcome["reported_at"])) for outcome in outcomes),
    ]


def _read_place(event: Mapping[str, Any]) -> list[Any]:
    match event.get("after"):
        case None:
            return _FIRST
        case ["table", str(created_at), str(request_id)]:
            return ["table", created_at, request_id]
        case ["files", str(key), int(count)]:
            return ["files", key, count]
    raise TaskError("after must be the next of another page")


def _add_stored(tools: MaintenanceTools, subject: str, place: list[Any], page: _Page) -> list[Any] | None:
    """Add records of the table; return where the next page begins, None if that was all."""
    while not page.is_full:
        _, created_at, request_id = place
        values = {"subject": subject, "created_at": created_at, "request_id": request_id, "chunk": CHUNK_ROWS}
        rows = _select(tools, _RECORDS, **values)
        for row in rows:
            page.add("table", row)
            place = ["table", row["created_at"], row["request_id"]]
            if page.is_full:
                break
        if len(rows) < CHUNK_ROWS and not page.is_full:
            return None
    return place


def _add_exported(tools: MaintenanceTools, subject: str, place: list[Any], page: _Page) -> list[Any] | None:
    """Add records of files from `place` on, which has a key and how many of its rows were shown."""
    files = ExportedFiles(tools.s3, tools.settings.records_bucket, PREDICTIONS)
    _, first_key, shown = place
    for file in files.list_versions(first_key):
        if page.is_full or tools.seconds_left() < SPARE_SECONDS:
            return ["files", file.key, 0]
        if not file.is_current:
            continue
        rows = files.read_rows(file, pc.field("subject") == subject)
        if not rows or not files.is_exported(file):
            continue
        ids = [row["request_id"] for row in rows]
        stored = tools.select(_STORED, subject=subject, ids=ids)
        known = {str(request_id) for [request_id] in stored}
        for count, row in enumerate(rows):
            if row["request_id"] in known or (file.key == first_key and count < shown):
                continue
            if page.is_full:
                return ["files", file.key, count]
            page.add(file.key, list_fields(row))
    return None


def _find_rest(tools: MaintenanceTools, subject: str) -> dict[str, Any]:
    """The parts that only the last page has."""
    found: list[dict[str, Any]] = []
    unreadable = 0
    for name, url in tools.list_queues():
        records, others = find_items(
            tools.sqs, url, QueuedRecord, lambda record: record.subject == subject, tools.seconds_left
        )
        found += [{"place": name, **record.content} for record in records]
        unreadable += others
    return {
        "messages": found,
        "unreadable_messages": unreadable,
        "open_erasures": _select(tools, _ERASURES, subject=subject),
    }


def _select(tools: MaintenanceTools, statement: str, **values: Any) -> list[dict[str, Any]]:
    return [row for [row] in tools.select(statement, **values)]
