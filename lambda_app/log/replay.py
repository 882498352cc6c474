"""Moves records from the queue into their table.

No message is dropped: a message that can never be stored goes to the dead-letter queue.
"""

from collections.abc import Callable, Sequence

import pg8000.native

from lambda_app.log.database import Database, describe_error, is_permanent_error
from lambda_app.log.message import MessageError, decode_message, encode_messages
from lambda_app.log.queue import QUEUE_ERRORS, RecordQueue, describe_queue_error
from lambda_app.log.record import OutcomeRecord, PredictionRecord, Record
from lambda_app.log.store import find_prediction_times, find_unstored, insert_outcomes, insert_predictions


class ReplayError(Exception):
    """The message could not be stored now; it stays in the queue."""


class RecordReplayer:
    """Stores the records of a message once, even if SQS delivers it several times."""

    def __init__(
        self,
        database: Database,
        dead_letters: RecordQueue,
        on_replayed: Callable[[int], None],
        on_dead_lettered: Callable[[str, str], None],
    ) -> None:
        self._database = database
        self._dead_letters = dead_letters
        self._on_replayed = on_replayed
        self._on_dead_lettered = on_dead_lettered

    def replay(self, message_id: str, body: str) -> None:
        """Move each record to its table or, if it can never be stored, to the dead-letter queue.

        Raises ReplayError if SQS must deliver the message again.
        """
        fault = ""
        try:
            records: Sequence[Record] = decode_message(body)
        except MessageError as error:
            records, fault = error.records, str(error)
        # Store all records before sending a dead letter: a message that is delivered again would send it again.
        refused = self._store(records) if records else []
        if len(records) > len(refused):
            self._on_replayed(len(records) - len(refused))
        if fault or (refused and len(records) == 1):
            # An unreadable message is kept unchanged.
            self._dead_letter(message_id, body, "; ".join([*filter(None, [fault]), *(reason for _, reason in refused)]))
            return
        for record, reason in refused:
            [alone] = encode_messages([record])
            # With its escapes, it may be longer than SQS allows.
            self._dead_letter(message_id, min(alone, body, key=len), reason)

    def _store(self, records: Sequence[Record]) -> list[tuple[Record, str]]:
        """Store the valid records; return the others, each with its reason."""
        try:
            unstored = self._database.run_statement(lambda connection: _insert(connection, records))
        except Exception as error:
            if not is_permanent_error(error):
                raise ReplayError(describe_error(error)) from None
            if len(records) == 1:
                return [(records[0], f"the database refuses the record: {describe_error(error)}")]
            # The other records are valid.
            middle = len(records) // 2
            return self._store(records[:middle]) + self._store(records[middle:])
        return [(record, "the table holds another record in its place") for record in unstored]

    def _dead_letter(self, message_id: str, body: str, reason: str) -> None:
        try:
            self._dead_letters.send([body])
        except QUEUE_ERRORS as error:
            raise ReplayError(f"the dead-letter queue failed: {describe_queue_error(error)}") from None
        self._on_dead_lettered(message_id, reason)


def _insert(connection: pg8000.native.Connection, records: Sequence[Record]) -> list[Record]:
    """Insert the records, all of one kind; return those in conflict with another record."""
    predictions = [record for record in records if isinstance(record, PredictionRecord)]
    outcomes = [record for record in records if isinstance(record, OutcomeRecord)]
    if predictions:
        count = insert_predictions(connection, predictions)
    else:
        times = find_prediction_times(connection, [outcome.request_id for outcome in outcomes])
        count = insert_outcomes(connection, outcomes, times)
    if count == len(records):
        return []
    # Usually the message was delivered twice.
    return find_unstored(connection, records)
