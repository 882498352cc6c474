"""The witness at SQS: which messages it accepted, and which of them somebody deleted."""

import itertools
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

# They neither bring nor take messages.
HARMLESS = {"CreateQueue", "GetQueueAttributes"}


@dataclass(frozen=True)
class WitnessReport:
    """`accepted` are the messages that SQS accepted, each with the ids of the records in it.

    `deleted` are those whose deletion SQS accepted, and `revived` those of them that it handed out afterwards.
    """

    accepted: Mapping[str, Sequence[UUID]] = field(default_factory=dict)
    deleted: frozenset[str] = frozenset()
    revived: frozenset[str] = frozenset()


class Witness:
    """Reads the requests that pass through the fronts, and SQS's answers to them."""

    def __init__(self) -> None:
        self._accepted: dict[str, list[UUID]] = {}
        self._receivers: dict[str, str] = {}
        self._deleted_at: dict[str, int] = {}
        self._revived: set[str] = set()
        # What two threads may use: each front has one of its own.
        self._moments = itertools.count()

    def note_moment(self) -> int:
        """Return the moment at which a request begins."""
        return next(self._moments)

    def note_answer(self, began_at: int, request: bytes, answer: bytes) -> None:
        """Remember the effect of the request, if SQS accepted it."""
        action = _find_action(request)
        if not action or not answer.startswith(b"HTTP/1.1 200 "):
            return
        asked, told = _read_body(request), _read_body(answer)
        if action == "SendMessage":
            self._accepted[told["MessageId"]] = find_records(asked["MessageBody"])
        elif action == "ReceiveMessage":
            for message in told.get("Messages", []):
                self._receivers[message["ReceiptHandle"]] = message["MessageId"]
                # One that was received while it was deleted is not meant.
                if self._deleted_at.get(message["MessageId"], began_at) < began_at:
                    self._revived.add(message["MessageId"])
        elif action == "DeleteMessage":
            self._deleted_at.setdefault(self._receivers[asked["ReceiptHandle"]], self.note_moment())
        elif action not in HARMLESS:
            raise NotImplementedError(f"The witness does not know what {action} does")

    def report(self) -> WitnessReport:
        return WitnessReport(dict(self._accepted), frozenset(self._deleted_at), frozenset(self._revived))


def find_records(body: str) -> list[UUID]:
    """Return the ids of the records in a message, or none for a message of another kind."""
    try:
        return [UUID(record["request_id"]) for record in json.loads(body)["records"]]
    except (KeyError, TypeError, ValueError):
        return []


def _find_action(request: bytes) -> str:
    """Return the SQS action of a request, or an empty text for a request of another kind."""
    for line in request.partition(b"\r\n\r\n")[0].split(b"\r\n"):
        name, _, value = line.partition(b":")
        if name.lower() == b"x-amz-target":
            return value.decode().strip().removeprefix("AmazonSQS.")
    return ""


def _read_body(message: bytes) -> dict[str, Any]:
    body = message.partition(b"\r\n\r\n")[2]
    return json.loads(body) if body else {}
