"""The records and outcomes in the queues: finds them, and takes some out of messages that hold others too."""

import json
import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lambda_app.maintain.queued import Item

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

# What is written to the queues. Messages are taken apart as text, so that what stays in them stays as it was.
_HEAD = re.compile(r'\{\s*"version"\s*:\s*\d+\s*,\s*"(records|outcomes)"\s*:\s*\[\s*')
_SPACE = re.compile(r"\s*")
_decode = json.JSONDecoder().raw_decode


SecondsLeft = Callable[[], float]


@dataclass
class Sweep:
    """The outcome of a sweep: `unreadable` are messages that it could not take apart, and has left."""

    removed: int = 0
    unreadable: int = 0
    is_whole: bool = False


def remove_items(
    sqs: "SQSClient", url: str, kind: type[Item], is_meant: Callable[[Item], bool], seconds_left: SecondsLeft
) -> Sweep:
    """Take out the items that are meant, from all messages of a kind that can be received while there is time."""
    sweep = Sweep()
    with _receiving_all(sqs, url, seconds_left) as messages:
        for message in messages:
            try:
                head, texts, tail = _split(message["Body"], kind)
            except ValueError:
                sweep.unreadable += 1
                continue
            kept = [text for text in texts if (item := _read(text, kind)) is None or not is_meant(item)]
            if len(kept) < len(texts):
                if kept:
                    # First the rest: a message that is there twice is stored once.
                    sqs.send_message(QueueUrl=url, MessageBody=head + ",".join(kept) + tail)
                sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
                sweep.removed += len(texts) - len(kept)
        sweep.is_whole = seconds_left() >= SPARE_SECONDS
    return sweep


def find_items(
    sqs: "SQSClient", url: str, kind: type[Item], is_meant: Callable[[Item], bool], seconds_left: SecondsLeft
) -> tuple[list[Item], int]:
    """Return the items that are meant, of all messages that can be received, and how many messages are unreadable."""
    found, unreadable = [], 0
    with _receiving_all(sqs, url, seconds_left) as messages:
        for message in messages:
            try:
                _, texts, _ = _split(message["Body"], kind)
            except ValueError:
                unreadable += 1
                continue
            found += [item for text in texts if (item := _read(text, kind)) is not None and is_meant(item)]
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


def _split(body: str, kind: type[Item]) -> tuple[str, list[str], str]:
    """Return the texts of the items, and what stands before and after them; ValueError for another form.

    A message of the other kind has none.
    """
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
    return head[0], texts if head[1] == kind.KEY else [], tail


def _skip_space(body: str, place: int) -> int:
    found = _SPACE.match(body, place)
    return found.end() if found else place


def _read(text: str, kind: type[Item]) -> Item | None:
    """None for what is no such item."""
    try:
        return kind.read(json.loads(text))
    except (ValueError, TypeError, KeyError, AttributeError, OverflowError, RecursionError):
        return None
