"""Makes records durable, in the database or else in the queue, or says that they are not."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import pg8000.native

from lambda_app.errors import IdempotencyConflictError, RecordError
from lambda_app.log.database import Database, describe_error, is_refused
from lambda_app.log.message import encode_messages
from lambda_app.log.queue import QUEUE_ERRORS, RecordQueue, describe_queue_error
from lambda_app.log.record import IdempotencyKey, PredictionRecord
from lambda_app.log.store import claim_key, find_request, insert_predictions

DATABASE, QUEUE = "database", "queue"


@dataclass(frozen=True)
class Written:
    """Durable records and where they are. `replayed` means that an earlier request with the same key made them."""

    records: Sequence[PredictionRecord]
    destination: str
    replayed: bool = False


class RecordWriter:
    """Writes to the database, and to the queue when that fails; what cannot be written must not be answered."""

    def __init__(self, database: Database, queue: RecordQueue, on_database_failed: Callable[[str], None]) -> None:
        self._database = database
        self._queue = queue
        self._on_database_failed = on_database_failed

    def write(
        self, records: Sequence[PredictionRecord], key: IdempotencyKey | None = None, spent_seconds: float = 0.0
    ) -> Written:
        """Return once all the records are durable, or those that an earlier request with the same key made.

        `spent_seconds` is what the request has taken so far; all of it is to end within ten.

        Raises RecordError, and IdempotencyConflictError when the key came with another request.
        """
        try:
            if key is None:
                self._database.run_statement(lambda connection: insert_predictions(connection, records), spent_seconds)
                return Written(records, DATABASE)
            found = self._database.run_transaction(
                lambda connection: _write_once(connection, records, key), spent_seconds
            )
        # Whatever it was: bytes that are not PostgreSQL's make pg8000 raise KeyError or struct.error.
        except Exception as error:
            reason = describe_error(error)
            self._on_database_failed(reason)
            failure = f"the database did not take the record: {reason}"
            if is_refused(error):
                raise RecordError(failure) from error
            if key is not None:
                raise RecordError(f"{failure}; only it knows whether the Idempotency-Key was used") from error
        else:
            if found is None:
                raise IdempotencyConflictError(
                    "You used this key for another request, or its record was deleted: send another key, or none."
                )
            return found
        try:
            self._queue.send(encode_messages(records))
        except QUEUE_ERRORS as error:
            raise RecordError(f"{failure}; nor did the queue: {describe_queue_error(error)}") from error
        return Written(records, QUEUE)


def _write_once(
    connection: pg8000.native.Connection, records: Sequence[PredictionRecord], key: IdempotencyKey
) -> Written | None:
    """Insert the records unless the key was used; None when what it was used for is another or gone."""
    use = claim_key(connection, key)
    if use is None:
        insert_predictions(connection, records)
        return Written(records, DATABASE)
    if use.fingerprint != key.fingerprint:
        return None
    stored = find_request(connection, use.request_id)
    # The same request finds its own key when the answer to its COMMIT was lost.
    return Written(stored, DATABASE, replayed=use.request_id != key.request_id) if stored else None
