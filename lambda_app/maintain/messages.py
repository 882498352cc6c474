"""The records and outcomes in the queues: finds them, and takes some out of messages that hold others too."""

import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from lambda_app.maintain.queued import Content, Item

if TYPE_CHECKING:
    from types_boto3_sqs import SQSClient
    from types_boto3_sqs.type_defs import MessageTypeDef

# So long nobody else receives what a sweep has received, unless the sweep ends before. No invocation lasts longer.
VISIBILITY_SECONDS = 900
# Of a receive call. It asks all servers of a queue only if it may wait.
POLL_SECONDS = 1
# SQS gives out 120,000 messages at a time, and then answers as if there were no more.
MOST_RECEIVED = 100_000
# The longest wait for others who have received messages, and the time between two looks.
WAIT_SECONDS = 20.0
PAUSE_SECONDS = 0.5
# A sweep ends when Lambda has so little time left.
SPARE_SECONDS = 60.0

SecondsLeft = Callable[[], float]


@dataclass
class Sweep:
    """The outcome of a sweep.

    `unreadable` are the messages that it could not take apart, or not all of whose items it could read. What it could
    not read, it has left. `is_whole` says that it has seen every message.
    """

    removed: int = 0
    unreadable: int = 0
    is_whole: bool = False


def remove_items(
    sqs: "SQSClient", url: str, kind: type[Item], is_meant: Callable[[Item, datetime], bool], seconds_left: SecondsLeft
) -> Sweep:
    """Take out the items of a kind that are meant, given with the time when their message was sent."""
    sweep = Sweep()
    with closing(_Round(sqs, url, seconds_left)) as messages:
        for message in messages:
            content = Content.read(message["Body"])
            sweep.unreadable += not content.is_readable
            items = content.items if content.kind is kind else []
            sent_at = datetime.fromtimestamp(int(message["Attributes"]["SentTimestamp"]) / 1000, UTC)
            kept = [text for text, item in items if not (isinstance(item, kind) and is_meant(item, sent_at))]
            if len(kept) < len(items):
                if kept:
                    # First the rest: a message that is there twice is stored once.
                    rest = sqs.send_message(QueueUrl=url, MessageBody=content.head + ",".join(kept) + content.tail)
                    messages.pass_over(rest["MessageId"])
                sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
                sweep.removed += len(items) - len(kept)
        sweep.is_whole = messages.is_whole
    return sweep


def find_items(
    sqs: "SQSClient", url: str, kind: type[Item], is_meant: Callable[[Item], bool], seconds_left: SecondsLeft
) -> tuple[list[Item], int]:
    """Return the items of a kind that are meant, of all messages that can be received, and how many are unreadable."""
    found, unreadable = [], 0
    with closing(_Round(sqs, url, seconds_left)) as messages:
        for message in messages:
            content = Content.read(message["Body"])
            unreadable += not content.is_readable
            found += [item for _, item in content.items if isinstance(item, kind) and is_meant(item)]
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


class _Round:
    """Yields each message of a queue once; after `close`, those that were not deleted can be received at once.

    `is_whole` becomes true when there was time for all of them.
    """

    def __init__(self, sqs: "SQSClient", url: str, seconds_left: SecondsLeft) -> None:
        self.is_whole = False
        self._sqs = sqs
        self._url = url
        self._seconds_left = seconds_left
        self._handles: dict[str, str] = {}
        self._known: set[str] = set()

    def __iter__(self) -> "Iterator[MessageTypeDef]":
        ends_at = time.monotonic() + VISIBILITY_SECONDS
        while self._seconds_left() >= SPARE_SECONDS and len(self._handles) < MOST_RECEIVED:
            answer = self._sqs.receive_message(
                QueueUrl=self._url,
                MaxNumberOfMessages=10,
                VisibilityTimeout=VISIBILITY_SECONDS,
                WaitTimeSeconds=POLL_SECONDS,
                MessageSystemAttributeNames=["SentTimestamp"],
            )
            messages = answer.get("Messages", [])
            # SQS may give out one a second time.
            new = [one for one in messages if one["MessageId"] not in self._known]
            for message in messages:
                self._handles[message["MessageId"]] = message["ReceiptHandle"]
                self._known.add(message["MessageId"])
            yield from new
            if time.monotonic() >= ends_at:
                # The first ones can be received again, so nothing tells the end.
                return
            if not messages:
                self.is_whole = self._seconds_left() >= SPARE_SECONDS
                return

    def pass_over(self, message_id: str) -> None:
        """Do not yield this one."""
        self._known.add(message_id)

    def close(self) -> None:
        """Give the messages back."""
        handles = list(self._handles.values())
        for start in range(0, len(handles), 10):
            # Those that were deleted fail, which does no harm.
            self._sqs.change_message_visibility_batch(
                QueueUrl=self._url,
                Entries=[
                    {"Id": str(place), "ReceiptHandle": handle, "VisibilityTimeout": 0}
                    for place, handle in enumerate(handles[start : start + 10])
                ],
            )
