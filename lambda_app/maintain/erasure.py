"""Erases all records of a subject, or of a request, wherever they are, and for good.

The steps are harmless when they are repeated, so an erasure that was killed goes on with the next call. First comes the
tombstone, which keeps the records from being stored again; last the name, which stays only until all is done. Outcomes
come after the predictions, because they are meant by their request ids, which are buried by then.
"""

import time
from collections.abc import Mapping
from typing import Any

from lambda_app.maintain.erased_files import erase_exported_outcomes, erase_exported_predictions
from lambda_app.maintain.erased_messages import erase_queued_outcomes, erase_queued_predictions
from lambda_app.maintain.erased_rows import erase_outcomes, erase_predictions
from lambda_app.maintain.lease import working_alone
from lambda_app.maintain.open_erasure import Erasure, Progress, UnfinishedError
from lambda_app.maintain.parameters import read_id, read_number, read_one_name, read_subject, read_text
from lambda_app.maintain.partitions import drop_detached
from lambda_app.maintain.tools import MaintenanceTools, forget_failures, is_outage
from lambda_app.tasks import TaskError, TaskFailedError, describe_failure

# The longest wait for those who write records.
OPEN_SECONDS = 60.0
PAUSE_SECONDS = 1.0

# The columns of erasures that say how much was erased where.
COUNTED = ("predictions", "outcomes", "idempotency_keys", "messages", "exported_rows")
_OPEN = "SELECT open_erasure(CAST(:subject AS text), CAST(:request_id AS uuid), :reason, :by)"
_READ = """
SELECT erasures.id, subject, request_id, erased_at, searched_file, is_held, now()
FROM erasures
JOIN tombstones ON digest = coalesce(digest_subject(subject), digest_request(request_id))
WHERE erasures.id = :id AND completed_at IS NULL
"""
_END_SEARCH = """
UPDATE erasures SET
    searched_file = NULL, is_held = false, has_fault = false,
    searched_at = CASE WHEN NOT has_fault THEN CAST(:began_at AS timestamptz) END
WHERE id = :id
"""
# A file tells the day of a record. The key of a request goes also if no row was left. And from now on, a hold brings
# nothing of the request back.
_COMPLETE = """
WITH ended AS (
    SELECT request_id FROM erasures WHERE id = :id AND NOT has_fault
), buried AS (
    UPDATE tombstones SET erasure_id = :id
    WHERE erasure_id IS NULL AND digest = (SELECT digest_request(request_id) FROM ended)
), deleted_keys AS (
    DELETE FROM idempotency_keys WHERE request_id = (SELECT request_id FROM ended)
    RETURNING 1
)
UPDATE erasures SET
    subject = NULL, request_id = NULL, searched_file = NULL, completed_at = now(),
    idempotency_keys = idempotency_keys + (SELECT count(*) FROM deleted_keys)
WHERE id = :id AND NOT has_fault
RETURNING id
"""
_COUNTS = f"SELECT {', '.join(COUNTED)} FROM erasures WHERE id = :id"  # noqa: S608 (our own names)
# What was left under a hold needs no second search until a hold is removed.
_FIND_UNFINISHED = """
SELECT id FROM erasures
WHERE completed_at IS NULL AND (
    searched_at IS NULL OR searched_file IS NOT NULL
    OR EXISTS (SELECT FROM holds WHERE removed_at > searched_at)
)
ORDER BY id
"""


def erase(tools: MaintenanceTools, event: Mapping[str, Any]) -> dict[str, Any]:
    """Erase the records of `subject` or `request_id`, or go on with the open `erasure` of that number.

    Of a subject these are the records made or recorded until now. Whoever asks for the same again finds the open
    erasure. The answer has what was erased so far, what holds keep, and "waits_for" where the erasure stays open. In an
    outage it has "waits_for", and "erasure" if that is open.
    """
    answer: dict[str, Any] = {}
    try:
        answer["erasure"] = number = _find_or_open(tools, event)
        return _go_on(tools, number)
    except Exception as error:
        if not is_outage(error):
            raise
        return answer | {"waits_for": f"a service that does not answer ({describe_failure(error)})"}


def _find_or_open(tools: MaintenanceTools, event: Mapping[str, Any]) -> int:
    name = read_one_name(event, "subject", "request_id", "erasure")
    if name == "erasure":
        number = read_number(event, "erasure")
        if not _Work(tools, number).exists():
            raise TaskError(f"there is no erasure {number}")
        return number
    return _open(tools, name, event)


def _go_on(tools: MaintenanceTools, number: int) -> dict[str, Any]:
    work = _Work(tools, number)
    try:
        with working_alone(tools):
            waits_for = work.run()
    except TaskError:
        waits_for = "another run of maintain"
    return work.describe() | ({"waits_for": waits_for} if waits_for else {})


def finish_erasures(tools: MaintenanceTools) -> dict[str, int]:
    """Go on with the open erasures, but those that wait for a hold, for a caller that works alone.

    Returns how many were completed, and how many of them are still open. TaskFailedError at the end names those that
    failed.
    """
    waits = []
    failures = []
    for [number] in tools.select(_FIND_UNFINISHED):
        try:
            waits.append(_Work(tools, number).run())
        except Exception as error:
            forget_failures(tools.database)
            failures.append(f"erasure {number}: {describe_failure(error)}")
    if failures:
        raise TaskFailedError("; ".join(failures))
    return {"completed": waits.count(None), "open": len(waits) - waits.count(None)}


def _open(tools: MaintenanceTools, name: str, event: Mapping[str, Any]) -> int:
    values = {
        "subject": read_subject(event) if name == "subject" else None,
        "request_id": read_id(event, "request_id") if name == "request_id" else None,
        "reason": read_text(event, "reason", 1000),
        "by": read_text(event, "by", 2048),
    }
    deadline = time.monotonic() + OPEN_SECONDS
    while True:
        [[number]] = tools.select(_OPEN, **values)
        if number is not None:
            return int(number)
        if time.monotonic() > deadline:
            raise TaskError("a transaction writes to the table for a minute: find out which, and ask again")
        time.sleep(PAUSE_SECONDS)


def _read_erasure(tools: MaintenanceTools, number: int) -> Erasure | None:
    rows = tools.select(_READ, id=number)
    return Erasure(*rows[0]) if rows else None


class _Work:
    """The steps of one erasure."""

    def __init__(self, tools: MaintenanceTools, number: int) -> None:
        self._tools = tools
        self._number = number
        self._progress = Progress(tools, number)

    def run(self) -> str | None:
        """Return what the erasure waits for; None when it is complete.

        TaskFailedError at the end names the files that were passed over by a fault. The next call searches all again.
        """
        erasure = _read_erasure(self._tools, self._number)
        # Another run may have completed it meanwhile.
        if erasure is None:
            return None
        faults: list[str] = []
        # A run that was killed may have detached a month that it did not drop: rows that are in no place searched here.
        self._tools.database.run_transaction(drop_detached)
        try:
            erase_predictions(erasure, self._progress)
            erase_queued_predictions(erasure, self._progress)
            erase_exported_predictions(erasure, self._progress, faults)
            self._progress.is_request_kept = bool(self._progress.kept) or erasure.is_held
            erase_outcomes(erasure, self._progress)
            erase_queued_outcomes(erasure, self._progress)
            erase_exported_outcomes(erasure, self._progress, faults)
        except UnfinishedError as error:
            return "; ".join([str(error), *faults])
        if faults:
            self._progress.select(_END_SEARCH, began_at=None)
            raise TaskFailedError("; ".join(faults))
        if self._progress.kept or erasure.is_held:
            # Since an earlier call saw it, the hold may have gone: then the next call searches everything again.
            self._progress.select(_END_SEARCH, began_at=None if erasure.is_held else erasure.read_at)
            return "holds"
        if not self._progress.select(_COMPLETE):
            self._progress.select(_END_SEARCH, began_at=None)
            return "a file that an earlier call has passed over"
        return None

    def exists(self) -> bool:
        """Return True if there is such an erasure, open or complete."""
        return bool(self._progress.select(_COUNTS))

    def describe(self) -> dict[str, Any]:
        """Return what was erased so far, and what this call has seen of holds and of messages that nobody can read."""
        [counts] = self._progress.select(_COUNTS)
        return {
            "erasure": self._number,
            "erased": dict(zip(COUNTED, counts, strict=True)),
            "kept_by_holds": self._progress.kept,
            "unreadable_messages": self._progress.unreadable_messages,
        }
