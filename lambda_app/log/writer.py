"""Makes records durable, in the database or else in the queue; raises an error if both fail."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import pg8000.native

from lambda_app.errors import IdempotencyConflictError, OutcomeError, OutcomesRefusedError, RecordError
from lambda_app.log.database import Database, describe_error, is_permanent_error
from lambda_app.log.message import encode_messages
from lambda_app.log.queue import QUEUE_ERRORS, RecordQueue, describe_queue_error
from lambda_app.log.record import IdempotencyKey, OutcomeRecord, PredictionRecord, Record, require_later
from lambda_app.log.store import claim_key, find_prediction_times, find_request, insert_outcomes, insert_predictions

DATABASE, QUEUE = "database", "queue"


@dataclass(frozen=True)
class WriteResult:
    """Durable records and their place. `replayed` means that an earlier request with the same key made them."""

    records: Sequence[PredictionRecord]
    destination: str
    replayed: bool = False


class RecordWriter:
    """Writes to the database, and to the queue if the database fails. No answer may be sent without it."""

    def __init__(self, database: Database, queue: RecordQueue, on_database_failed: Callable[[str], None]) -> None:
        self._database = database
        self._queue = queue
        self._on_database_failed = on_database_failed

    def write(
        self, records: Sequence[PredictionRecord], key: IdempotencyKey | None = None, spent_seconds: float = 0.0
    ) -> WriteResult:
        """Make all records durable, or return those of an earlier request with the same key.

        `spent_seconds` is the time since the request began; it should end within ten seconds.

        Raises RecordError, and IdempotencyConflictError if another request used the key.
        """
        # One row needs no BEGIN and COMMIT. This saves two round trips.
        is_statement = key is None and len(records) == 1
        run = self._database.run_statement if is_statement else self._database.run_transaction
        try:
            found = run(lambda connection: _write_once(connection, records, key), spent_seconds)
        except RecordError:
            raise
        # Any exception: a malformed reply makes pg8000 raise KeyError or struct.error.
        except Exception as error:
            failure = self._report_failure(error, RecordError)
            if key is not None:
                raise RecordError(f"{failure}; only it knows whether the Idempotency-Key was used") from error
        else:
            if found is None:
                raise IdempotencyConflictError(
                    "You used this key for another request, or its record was deleted: send another key, or none."
                )
            return found
        self._send(records, failure, RecordError)
        return WriteResult(records, QUEUE)

    def write_outcomes(self, outcomes: Sequence[OutcomeRecord], spent_seconds: float = 0.0) -> str:
        """Make all outcomes durable and return where they are. `spent_seconds` is as for `write`.

        Raises OutcomeError, and OutcomesRefusedError if the table has a prediction that is later than its outcome.
        """
        try:
            # Two statements without a transaction: the first one only reads.
            self._database.run_statement(lambda connection: _insert_possible(connection, outcomes), spent_seconds)
        except OutcomesRefusedError:
            raise
        except Exception as error:
            failure = self._report_failure(error, OutcomeError)
        else:
            return DATABASE
        self._send(outcomes, failure, OutcomeError)
        return QUEUE

    def _report_failure(self, error: Exception, kind: type[RecordError]) -> str:
        """Report that the database failed, and return a text about it. Raises `kind` if it would always fail."""
        reason = describe_error(error)
        self._on_database_failed(reason)
        failure = f"the database did not take the record: {reason}"
        if is_permanent_error(error):
            raise kind(failure) from error
        return failure

    def _send(self, records: Sequence[Record], failure: str, kind: type[RecordError]) -> None:
        """Send the records to the queue; raises `kind` if it fails too."""
        try:
            self._queue.send(encode_messages(records))
        except QUEUE_ERRORS as error:
            raise kind(f"{failure}; nor did the queue: {describe_queue_error(error)}") from error


def _write_once(
    connection: pg8000.native.Connection, records: Sequence[PredictionRecord], key: IdempotencyKey | None
) -> WriteResult | None:
    """Insert the records unless their ids or their key exist, then return the stored ones.

    Returns None if the key was used for another request, or its records were deleted. Raises RecordError if the ids
    were used for another request.
    """
    use = None if key is None else claim_key(connection, key)
    if key is None or use is None:
        if insert_predictions(connection, records) == len(records):
            return WriteResult(records, DATABASE)
        # The reply to a COMMIT was lost, or Lambda runs the request again.
        first = records[0]
        stored = _find_answer(connection, first.batch_id or first.request_id, first.created_at, records)
        if stored is None:
            # The exception rolls back the key and a part of a batch.
            raise RecordError("the id of this request is taken by another record")
        return WriteResult(stored, DATABASE)
    if use.fingerprint != key.fingerprint:
        return None
    stored = _find_answer(connection, use.request_id, use.used_at, records)
    # A request finds its own key if the reply to its COMMIT was lost.
    return WriteResult(stored, DATABASE, replayed=use.request_id != key.request_id) if stored else None


def _insert_possible(connection: pg8000.native.Connection, outcomes: Sequence[OutcomeRecord]) -> None:
    """Insert the outcomes; raises OutcomesRefusedError if one is older than its prediction."""
    times = find_prediction_times(connection, [outcome.request_id for outcome in outcomes])
    require_later(outcomes, times)
    insert_outcomes(connection, outcomes, times)


def _find_answer(
    connection: pg8000.native.Connection, request_id: UUID, near: datetime, records: Sequence[PredictionRecord]
) -> list[PredictionRecord] | None:
    """Return the stored records of a request, if they have the same caller and cases and belong to one answer."""
    stored = {record.batch_index: record for record in find_request(connection, request_id, near)}
    found = [stored[record.batch_index] for record in records if record.batch_index in stored]
    asked = [(record.caller, record.subject, record.features) for record in records]
    # All records of a batch have one time; in a canary two models may have made them.
    times = {record.created_at for record in found}
    is_same = [(record.caller, record.subject, record.features) for record in found] == asked and len(times) == 1
    return found if is_same else None
