"""Moves records from the queue into the table. Nothing that the queue held is dropped: what can never be stored goes
to the dead-letter queue."""

from collections.abc import Callable, Sequence

from lambda_app.log.database import Database, describe_error, is_refused
from lambda_app.log.message import MessageError, decode_message, encode_messages
from lambda_app.log.queue import QUEUE_ERRORS, RecordQueue, describe_queue_error
from lambda_app.log.record import PredictionRecord
from lambda_app.log.store import insert_predictions


class ReplayError(Exception):
    """The message could not be stored now; it stays in the queue."""


class RecordReplayer:
    """Stores a message's records, however often it comes."""

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
        """Return when each record is in the table or, if it can never be, in the dead-letter queue.

        Raises ReplayError: SQS is to deliver it again.
        """
        try:
            records = decode_message(body)
        except MessageError as error:
            self._bury(message_id, body, str(error))
        else:
            self._store(message_id, records)

    def _store(self, message_id: str, records: Sequence[PredictionRecord]) -> None:
        try:
            self._database.run_statement(lambda connection: insert_predictions(connection, records))
        except Exception as error:
            if not is_refused(error):
                raise ReplayError(describe_error(error)) from None
            if len(records) == 1:
                [body] = encode_messages(records)
                self._bury(message_id, body, f"the database refuses the record: {describe_error(error)}")
                return
            # The others of a batch are good.
            for record in records:
                self._store(message_id, [record])
        else:
            self._on_replayed(len(records))

    def _bury(self, message_id: str, body: str, reason: str) -> None:
        try:
            self._dead_letters.send([body])
        except QUEUE_ERRORS as error:
            raise ReplayError(f"the dead-letter queue failed: {describe_queue_error(error)}") from None
        self._on_dead_lettered(message_id, reason)
