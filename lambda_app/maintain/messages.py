"""The records in the queues: finds them, and takes some out of messages that hold others too."""

import json
import re
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from uuid import UUID

if TYPE_CHECKING:
    from types_boto3_sqs import SQSClient
    from types_boto3_sqs.type_defs import MessageTypeDef

# So long nobody else receives what a sweep has received, unless the sweep ends before.
VISIBILITY_SECONDS = 120
# Of a receive call. It asks all servers of a queue only if it may wait.
POLL_SECONDS = 1
# The longest wait for others who have received messages, and the time between two looks.
WAIT_SECONDS = 20.0
PAUSE_SECONDS = 0.5
# A sweep ends when Lambda has so little time left.
SPARE_SECONDS = 60.0

# What encode_messages writes. Messages are taken apart as text, so that what stays in them stays as it was.
_HEAD = re.compile(r'\{\s*"version"\s*:\s*\d+\s*,\s*"records"\s*:\s*\[\s*')
_SPACE = re.compile(r"\s*")
_decode = json.JSONDecoder().raw_decode


@dataclass(frozen=True)
class QueuedRecord:
    """The values of a record in a message by which it is meant or not; `content` is all of it, as it came."""

    request_id: UUID
    created_at: datetime
    subject: str | None
    caller: str | None
    batch_id: UUID | None
    content: Mapping[str, Any]


Judge = Callable[[QueuedRecord], bool]
SecondsLeft = Callable[[], float]


@dataclass
class Sweep:
    """The outcome of a sweep: `unreadable` are messages that it could not take apart, and has left."""

    removed: int = 0
    unreadable: int = 0
    is_whole: bool = False


def remove_records(sqs: "SQSClient", url: str, is_meant: Judge, seconds_left: SecondsLeft) -> Sweep:
    """Take out the records that are meant, from all messages that can be received while there is time."""
    sweep = Sweep()
    with _receiving_all(sqs, url, seconds_left) as messages:
        for message in messages:
            try:
                head, texts, tail = _split(message["Body"])
            except ValueError:
                sweep.unreadable += 1
                continue
            kept = [text for text in texts if not _is_meant(text, is_meant)]
            if len(kept) < len(texts):
                if kept:
                    # First the rest: a message that is there twice is stored once.
                    sqs.send_message(QueueUrl=url, MessageBody=head + ",".join(kept) + tail)
                sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
                sweep.removed += len(texts) - len(kept)
        sweep.is_whole = seconds_left() >= SPARE_SECONDS
    return sweep


def find_records(
    sqs: "SQSClient", url: str, is_meant: Judge, seconds_left: SecondsLeft
) -> tuple[list[QueuedRecord], int]:
    """Return the records that are meant, of all messages that can be received, and how many messages are unreadable."""
    found, unreadable = [], 0
    with _receiving_all(sqs, url, seconds_left) as messages:
        for message in messages:
            try:
                _, texts, _ = _split(message["Body"])
            except ValueError:
                unreadable += 1
                continue
            records = (_read(text) for text in texts)
            found += [record for record in records if record is not None and is_meant(record)]
    return found, unreadable


def wait_until_received(sqs: "SQSClient", url: str) -> bool:
    """Wait until nobody works on messages that were received before; False if that takes long."""
    deadline = time.monotonic() + WAIT_SECONDS
    while True:
        attributes = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["ApproximateNumberOfMessagesNotVisible"])
        if int(attributes["Attributes"]["ApproximateNumberOfMessagesNotVisible"]) == 0:
            return True
        if time.monotonic() >= deadline:
            return False
        time.sleep(PAUSE_SECONDS)


@contextmanager
def _receiving_all(sqs: "SQSClient", url: str, seconds_left: SecondsLeft) -> "Iterator[Iterator[MessageTypeDef]]":
    """Yield each message once. At the end, those that were not deleted can be received again at once."""
    received: dict[str, str] = {}

    def receive() -> "Iterator[MessageTypeDef]":
        while seconds_left() >= SPARE_SECONDS:
            answer = sqs.receive_message(
                QueueUrl=url, MaxNumberOfMessages=10, VisibilityTimeout=VISIBILITY_SECONDS, WaitTimeSeconds=POLL_SECONDS
            )
            messages = answer.get("Messages", [])
            # One that comes a second time has become visible again: the sweep is round.
            is_round = bool(messages) and all(message["MessageId"] in received for message in messages)
            new = [message for message in messages if message["MessageId"] not in received]
            received.update({message["MessageId"]: message["ReceiptHandle"] for message in messages})
            yield from new
            if not messages or is_round:
                return

    try:
        yield receive()
    finally:
        handles = list(received.values())
        for start in range(0, len(handles), 10):
            # Those that were deleted fail, which does no harm.
            sqs.change_message_visibility_batch(
                QueueUrl=url,
                Entries=[
                    {"Id": str(place), "ReceiptHandle": handle, "VisibilityTimeout": 0}
                    for place, handle in enumerate(handles[start : start + 10])
                ],
            )


def _split(body: str) -> tuple[str, list[str], str]:
    """Return the texts of the records, and what stands before and after them; ValueError for another form."""
    head = _HEAD.match(body)
    if head is None:
        raise ValueError("no message of ours")
    texts, place = [], head.end()
    while True:
        try:
            _, end = _decode(body, place)
        except RecursionError:
            raise ValueError("no message of ours") from None
        texts.append(body[place:end])
        place = _skip_space(body, end)
        if body[place : place + 1] != ",":
            break
        place = _skip_space(body, place + 1)
    tail = body[place:]
    if re.fullmatch(r"\]\s*\}\s*", tail) is None:
        raise ValueError("no message of ours")
    return head[0], texts, tail


def _skip_space(body: str, place: int) -> int:
    found = _SPACE.match(body, place)
    return found.end() if found else place


def _is_meant(text: str, is_meant: Judge) -> bool:
    record = _read(text)
    return record is not None and is_meant(record)


def _read(text: str) -> QueuedRecord | None:
    """None for what is no record."""
    try:
        content = json.loads(text)
        created_at = datetime.fromisoformat(content["created_at"]).astimezone(UTC)
        batch_id, subject, caller = (content.get(name) for name in ("batch_id", "subject", "caller"))
        return QueuedRecord(
            UUID(content["request_id"]), created_at, subject, caller, UUID(batch_id) if batch_id else None, content
        )
    except (ValueError, TypeError, KeyError, AttributeError, OverflowError, RecursionError):
        return None
