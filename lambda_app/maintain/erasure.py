"""Erases all records of a subject, or of a request, wherever they are, and for good.

The steps are harmless when they are repeated, so an erasure that was killed goes on with the next call. First comes the
tombstone, which keeps the records from being stored again; last the name, which stays only until all is done.
"""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any
from uuid import UUID

from lambda_app.maintain.exported import ExportedFiles
from lambda_app.maintain.holds import find_active_holds
from lambda_app.maintain.lease import working_alone
from lambda_app.maintain.messages import QueuedRecord, remove_records, wait_until_received
from lambda_app.maintain.parameters import read_id, read_number, read_one_name, read_subject, read_text
from lambda_app.maintain.tools import TaskError, Tools

if TYPE_CHECKING:
    import pg8000.native

    from lambda_app.maintain.exported import ExportedRow

# The erasure stops when Lambda has so little time left, and goes on with the next call.
SPARE_SECONDS = 120.0
# The longest wait for those who write records.
OPEN_SECONDS = 60.0
PAUSE_SECONDS = 1.0
# Of a statement, so that its locks are short.
CHUNK_ROWS = 1000

_OPEN = "SELECT open_erasure(CAST(:subject AS text), CAST(:request_id AS uuid), :reason, :by)"
_READ = """
SELECT erasures.id, subject, request_id, erased_at, searched_file, is_held, now()
FROM erasures
JOIN tombstones ON digest = coalesce(digest_subject(subject), digest_request(request_id))
WHERE erasures.id = :id AND completed_at IS NULL
"""
_MEANT = {
    "subject": "predictions.subject = :subject AND created_at <= :until",
    "request_id": "(request_id = :request_id OR batch_id = :request_id)",
}
_ERASE_ROWS = """
WITH doomed AS MATERIALIZED (
    SELECT request_id, created_at, batch_id FROM predictions
    WHERE {meant} AND NOT is_held(subject, caller, created_at)
    LIMIT :chunk
), buried AS (
    INSERT INTO tombstones SELECT digest_request(request_id), CAST(:until AS timestamptz) FROM doomed
    ON CONFLICT DO NOTHING
), deleted_keys AS (
    DELETE FROM idempotency_keys
    WHERE request_id IN (SELECT request_id FROM doomed UNION SELECT batch_id FROM doomed)
    RETURNING 1
), deleted AS (
    DELETE FROM predictions USING doomed
    WHERE predictions.request_id = doomed.request_id AND predictions.created_at = doomed.created_at
    RETURNING 1
)
UPDATE erasures SET
    predictions = predictions + (SELECT count(*) FROM deleted),
    idempotency_keys = idempotency_keys + (SELECT count(*) FROM deleted_keys)
WHERE id = :id
RETURNING (SELECT count(*) FROM deleted)
"""
_COUNT_HELD = """
SELECT holds.id, count(*) FROM predictions JOIN holds ON removed_at IS NULL AND (
    holds.subject = predictions.subject OR holds.caller = predictions.caller
    OR (starts <= created_at AND created_at < ends)
)
WHERE {meant}
GROUP BY holds.id
"""
# Of records outside the table.
_BURY = """
WITH buried AS (
    INSERT INTO tombstones SELECT digest_request(request_id), CAST(:until AS timestamptz)
    FROM unnest(CAST(:ids AS uuid[])) AS request_id
    ON CONFLICT DO NOTHING
), deleted_keys AS (
    DELETE FROM idempotency_keys
    WHERE request_id = ANY(CAST(:ids AS uuid[])) OR request_id = ANY(CAST(:batch_ids AS uuid[]))
    RETURNING 1
)
UPDATE erasures SET idempotency_keys = idempotency_keys + (SELECT count(*) FROM deleted_keys) WHERE id = :id
"""
_COUNT_MESSAGES = "UPDATE erasures SET messages = messages + :count WHERE id = :id"
_BEGIN_FILE = """
UPDATE erasures SET searched_file = :key, exported_rows = exported_rows + :count, is_held = is_held OR :held
WHERE id = :id
"""
_END_SEARCH = "UPDATE erasures SET searched_file = NULL, is_held = false, searched_at = :began_at WHERE id = :id"
_COMPLETE = "UPDATE erasures SET subject = NULL, request_id = NULL, completed_at = now() WHERE id = :id"
_COUNTS = "SELECT predictions, idempotency_keys, messages, exported_rows FROM erasures WHERE id = :id"
# What was left under a hold needs no second search until a hold is removed.
_FIND_UNFINISHED = """
SELECT id FROM erasures
WHERE completed_at IS NULL AND (
    searched_at IS NULL OR searched_file IS NOT NULL
    OR EXISTS (SELECT FROM holds WHERE removed_at > searched_at)
)
ORDER BY id
"""


class _UnfinishedError(Exception):
    """The erasure stays open; the text says what it waits for."""


@dataclass(frozen=True)
class _Erasure:
    """An open erasure. Of a subject it means the records made until its tombstone; `searched_file` as in the table."""

    number: int
    subject: str | None
    request_id: UUID | None
    until: datetime
    searched_file: str | None
    is_held: bool
    read_at: datetime

    @property
    def meant(self) -> str:
        """The condition of its rows."""
        return _MEANT["request_id" if self.subject is None else "subject"]

    @property
    def values(self) -> dict[str, Any]:
        """The parameters of that condition."""
        if self.subject is None:
            return {"request_id": self.request_id}
        return {"subject": self.subject, "until": self.until}

    def means(self, record: "QueuedRecord | ExportedRow") -> bool:
        """Return True if a record outside the table is meant."""
        if self.subject is None:
            return self.request_id in (record.request_id, record.batch_id)
        return record.subject == self.subject and record.created_at <= self.until


def erase(tools: Tools, event: Mapping[str, Any]) -> dict[str, Any]:
    """Erase the records of `subject` or `request_id`, or go on with the open `erasure` of that number.

    Of a subject these are the records made until now. Whoever asks for the same again finds the open erasure. The
    answer has what was erased so far, what holds keep, and "waits_for" where the erasure stays open.
    """
    name = read_one_name(event, "subject", "request_id", "erasure")
    if name == "erasure":
        number = read_number(event, "erasure")
        if not _Work(tools, number).exists():
            raise TaskError(f"there is no erasure {number}")
    else:
        number = _open(tools, name, event)
    work = _Work(tools, number)
    try:
        with working_alone(tools):
            waits_for = work.run()
    except TaskError:
        waits_for = "another run of maintain"
    return work.describe() | ({"waits_for": waits_for} if waits_for else {})


def finish_erasures(tools: Tools) -> dict[str, int]:
    """Go on with the open erasures, but those that wait for a hold, for a caller that works alone.

    Returns how many were completed, and how many of them are still open.
    """
    unfinished = tools.database.run_statement(lambda connection: connection.run(_FIND_UNFINISHED)) or []
    outcomes = [_Work(tools, number).run() for [number] in unfinished]
    return {"completed": outcomes.count(None), "open": len(outcomes) - outcomes.count(None)}


def _open(tools: Tools, name: str, event: Mapping[str, Any]) -> int:
    values = {
        "subject": read_subject(event) if name == "subject" else None,
        "request_id": read_id(event, "request_id") if name == "request_id" else None,
        "reason": read_text(event, "reason", 1000),
        "by": read_text(event, "by", 2048),
    }
    deadline = time.monotonic() + OPEN_SECONDS
    while True:
        [[number]] = tools.database.run_statement(lambda connection: connection.run(_OPEN, **values))
        if number is not None:
            return int(number)
        if time.monotonic() > deadline:
            raise TaskError("a transaction writes to the table for a minute: find out which, and ask again")
        time.sleep(PAUSE_SECONDS)


def _read_erasure(tools: Tools, number: int) -> _Erasure | None:
    rows = tools.database.run_statement(lambda connection: connection.run(_READ, id=number))
    return _Erasure(*rows[0]) if rows else None


class _Work:
    """The steps of one erasure."""

    def __init__(self, tools: Tools, number: int) -> None:
        self._tools = tools
        self._number = number
        self._kept: dict[str, dict[str, int]] = {}
        self._unreadable = 0

    def run(self) -> str | None:
        """Return what the erasure waits for; None when it is complete."""
        erasure = _read_erasure(self._tools, self._number)
        # Another run may have completed it meanwhile.
        if erasure is None:
            return None
        try:
            self._erase_rows(erasure)
            self._erase_messages(erasure)
            was_held = self._erase_from_files(erasure)
        except _UnfinishedError as error:
            return str(error)
        if self._kept or was_held:
            # Since an earlier call saw it, the hold may have gone: then the next call searches everything again.
            self._run(_END_SEARCH, began_at=None if was_held else erasure.read_at)
            return "holds"
        self._run(_COMPLETE)
        return None

    def exists(self) -> bool:
        """Return True if there is such an erasure, open or complete."""
        return bool(self._run(_COUNTS))

    def describe(self) -> dict[str, Any]:
        """Return what was erased so far, and what this call has seen of holds and of messages that nobody can read."""
        names = ("predictions", "idempotency_keys", "messages", "exported_rows")
        [counts] = self._run(_COUNTS)
        return {
            "erasure": self._number,
            "erased": dict(zip(names, counts, strict=True)),
            "kept_by_holds": self._kept,
            "unreadable_messages": self._unreadable,
        }

    def _erase_rows(self, erasure: _Erasure) -> None:
        if erasure.request_id is not None:
            # Its key, also if no row is left.
            self._bury(erasure, [erasure.request_id], [])
        statement = _ERASE_ROWS.format(meant=erasure.meant)
        values = {"until": erasure.until, "chunk": CHUNK_ROWS} | erasure.values
        while self._run(statement, **values) != [[0]]:
            self._require_time()
        held = self._run(_COUNT_HELD.format(meant=erasure.meant), **erasure.values)
        self._note_kept("predictions", dict(held or []))

    def _erase_messages(self, erasure: _Erasure) -> None:
        settings = self._tools.settings
        holds = self._tools.database.run_statement(find_active_holds)

        def is_meant(record: QueuedRecord) -> bool:
            if not erasure.means(record) or holds.keep(
                record.request_id, record.subject, record.caller, record.created_at
            ):
                return False
            self._bury(erasure, [record.request_id], [record.batch_id] if record.batch_id else [])
            return True

        # A message that replay works on may still become a dead letter, so these come last.
        is_whole = True
        for url in (settings.queue_url, settings.dead_letter_queue_url):
            sweep = remove_records(self._tools.sqs, url, is_meant, self._tools.seconds_left)
            self._run(_COUNT_MESSAGES, count=sweep.removed)
            self._unreadable += sweep.unreadable
            is_whole = sweep.is_whole and wait_until_received(self._tools.sqs, url) and is_whole
        self._note_kept("messages", holds.count_kept())
        if not is_whole:
            raise _UnfinishedError("messages that somebody works on")

    def _erase_from_files(self, erasure: _Erasure) -> bool:
        """Return whether a hold keeps a row of a file that an earlier call has searched."""
        files = ExportedFiles(self._tools.s3, self._tools.settings.records_bucket)
        holds = self._tools.database.run_statement(find_active_holds)
        first_key = erasure.searched_file or ""
        for file in files.list_versions(first_key):
            self._require_time()
            rows = [row for row in files.search(file, erasure.subject, erasure.request_id) if erasure.means(row)]
            is_exported = bool(rows) and files.is_exported(file)
            if not is_exported:
                # An old version, or what an interrupted run has left.
                if rows:
                    files.delete_version(file)
                continue
            gone = [row for row in rows if not holds.keep(row.request_id, row.subject, row.caller, row.created_at)]
            # Before the work, and once: the same file again was counted.
            count = len(gone) if file.key > first_key else 0
            self._run(_BEGIN_FILE, key=file.key, count=count, held=len(gone) < len(rows))
            if gone:
                self._bury(
                    erasure,
                    [row.request_id for row in gone],
                    [row.batch_id for row in gone if row.batch_id is not None],
                )
                files.replace(file, [row.request_id for row in gone])
                files.delete(file)
        self._note_kept("exported_rows", holds.count_kept())
        return erasure.is_held

    def _bury(self, erasure: _Erasure, ids: Sequence[UUID], batch_ids: Sequence[UUID]) -> None:
        self._run(_BURY, until=erasure.until, ids=list(ids), batch_ids=list(batch_ids))

    def _run(self, statement: str, **values: Any) -> Any:
        def work(connection: "pg8000.native.Connection") -> Any:
            return connection.run(statement, id=self._number, **values)

        return self._tools.database.run_statement(work)

    def _note_kept(self, place: str, counts: Mapping[int, int]) -> None:
        for number, count in counts.items():
            self._kept.setdefault(str(number), {})[place] = count

    def _require_time(self) -> None:
        if self._tools.seconds_left() < SPARE_SECONDS:
            raise _UnfinishedError("time")
