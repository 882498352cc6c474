"""Ways to break the service or SQS. The drill must find each of them."""

import contextlib
import dataclasses
from collections.abc import Callable, Iterable, Sequence

import lambda_app.log.writer
from lambda_app.log.queue import QUEUE_ERRORS, RecordQueue
from lambda_app.log.replay import RecordReplayer, ReplayError
from lambda_app.model.predictor import Predictor
from lambda_app.model.trial import Cases, Trial, Tried


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


def forget_the_candidate() -> None:
    """Tell that the current version made what the candidate did."""
    predict = Trial.predict

    def predict_silently(self: Trial, current: Predictor, cases: Cases, keys: Sequence[str]) -> Tried:
        return dataclasses.replace(predict(self, current, cases, keys), answered=frozenset())

    Trial.predict = predict_silently  # type: ignore[method-assign]


# Done by the front of SQS, and not in a function.
DROP_A_MESSAGE = "drop-a-message"

SABOTAGES: dict[str, Callable[[], None]] = {
    "swallow-queue-errors": swallow_queue_errors,
    "drop-what-fails": drop_what_fails,
    "forget-keys": forget_keys,
    "forget-the-candidate": forget_the_candidate,
    DROP_A_MESSAGE: lambda: None,
}
