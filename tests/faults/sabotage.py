"""Services, and an SQS, that break the promise, each in a way of its own: the drill must find every one of them."""

import contextlib
import functools
from collections.abc import Callable, Iterable, Sequence
from uuid import uuid4

import pg8000.native

import lambda_app.handler
import lambda_app.log.replay
import lambda_app.log.writer
from lambda_app.log.database import Database
from lambda_app.log.queue import QUEUE_ERRORS, RecordQueue
from lambda_app.log.record import PredictionRecord
from lambda_app.log.replay import RecordReplayer, ReplayError
from lambda_app.log.store import insert_predictions
from lambda_app.log.token import make_auth_token


def swallow_queue_errors() -> None:
    """Answer with 200 though neither the database nor the queue took the record."""
    send = RecordQueue.send

    def send_or_not(self: RecordQueue, bodies: Iterable[str]) -> None:
        with contextlib.suppress(*QUEUE_ERRORS):
            send(self, bodies)

    RecordQueue.send = send_or_not  # type: ignore[method-assign]


def drop_what_fails() -> None:
    """Let SQS delete the messages that could not be stored."""
    replay = RecordReplayer.replay

    def replay_or_not(self: RecordReplayer, message_id: str, body: str) -> None:
        with contextlib.suppress(ReplayError):
            replay(self, message_id, body)

    RecordReplayer.replay = replay_or_not  # type: ignore[method-assign]


def forget_keys() -> None:
    """Treat a request that comes again with its key as a new one."""
    vars(lambda_app.log.writer)["claim_key"] = lambda *_: None


def store_under_new_ids() -> None:
    """Give a record a new id each time that it is replayed."""

    def insert_anew(connection: pg8000.native.Connection, records: Sequence[PredictionRecord]) -> int:
        return insert_predictions(
            connection, [PredictionRecord(**{**vars(record), "request_id": uuid4()}) for record in records]
        )

    vars(lambda_app.log.replay)["insert_predictions"] = insert_anew


def wait_for_ever() -> None:
    """Have a deadline that no client would wait for."""
    vars(lambda_app.handler)["Database"] = functools.partial(Database, wait_seconds=12.0, deadline_seconds=20.0)


def keep_token() -> None:
    """Make an IAM token once, and use it for every connection."""
    vars(lambda_app.handler)["make_auth_token"] = functools.cache(make_auth_token)


# Not a function's: the front of SQS does it.
DROP_A_MESSAGE = "drop-a-message"

SABOTAGES: dict[str, Callable[[], None]] = {
    "swallow-queue-errors": swallow_queue_errors,
    "drop-what-fails": drop_what_fails,
    "forget-keys": forget_keys,
    "store-under-new-ids": store_under_new_ids,
    "keep-token": keep_token,
    "wait-for-ever": wait_for_ever,
    DROP_A_MESSAGE: lambda: None,
}
