"""The content of the messages in the queues: records of predictions, and outcomes."""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, ClassVar, Self, TypeVar
from uuid import UUID

# What is written to the queues. Messages are taken apart as text, so that what stays in them stays as it was.
_HEAD = re.compile(r'\{\s*"version"\s*:\s*\d+\s*,\s*"(records|outcomes)"\s*:\s*\[\s*')
_SPACE = re.compile(r"\s*")
_decode = json.JSONDecoder().raw_decode


@dataclass(frozen=True)
class QueuedRecord:
    """The values of a record in a message by which it is meant or not; `content` is all of it, as it came."""

    KEY: ClassVar = "records"

    request_id: UUID
    created_at: datetime
    subject: str | None
    caller: str | None
    batch_id: UUID | None
    content: Mapping[str, Any]

    @classmethod
    def read(cls, content: Mapping[str, Any]) -> Self:
        """Raises ValueError, TypeError, KeyError, AttributeError or OverflowError for what is no record."""
        created_at = datetime.fromisoformat(content["created_at"]).astimezone(UTC)
        batch_id, subject, caller = (content.get(name) for name in ("batch_id", "subject", "caller"))
        return cls(
            UUID(content["request_id"]), created_at, subject, caller, UUID(batch_id) if batch_id else None, content
        )


@dataclass(frozen=True)
class QueuedOutcome:
    """The same of an outcome."""

    KEY: ClassVar = "outcomes"

    outcome_id: UUID
    request_id: UUID
    reported_at: datetime
    content: Mapping[str, Any]

    @classmethod
    def read(cls, content: Mapping[str, Any]) -> Self:
        """As QueuedRecord.read."""
        reported_at = datetime.fromisoformat(content["reported_at"]).astimezone(UTC)
        return cls(UUID(content["outcome_id"]), UUID(content["request_id"]), reported_at, content)


Item = TypeVar("Item", QueuedRecord, QueuedOutcome)
_KINDS: Mapping[str, type[QueuedRecord | QueuedOutcome]] = {kind.KEY: kind for kind in (QueuedRecord, QueuedOutcome)}


@dataclass(frozen=True)
class Content:
    """A message in parts: its items, each with its text, and what stands before and after them.

    An item is None if it cannot be read, and `kind` if the message cannot be taken apart.
    """

    kind: type[QueuedRecord | QueuedOutcome] | None = None
    head: str = ""
    items: Sequence[tuple[str, QueuedRecord | QueuedOutcome | None]] = ()
    tail: str = ""

    @property
    def is_readable(self) -> bool:
        """Return True if it is of the form that the service writes, with all of its items."""
        return self.kind is not None and all(item is not None for _, item in self.items)

    @classmethod
    def read(cls, body: str) -> Self:
        """Take the body of a message apart."""
        try:
            head, key, texts, tail = _split(body)
        except ValueError:
            return cls()
        kind = _KINDS[key]
        return cls(kind, head, [(text, _read(text, kind)) for text in texts], tail)


def _split(body: str) -> tuple[str, str, list[str], str]:
    """Return what stands before the items, their key, their texts, and what follows; ValueError for another form."""
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
    return head[0], head[1], texts, tail


def _skip_space(body: str, place: int) -> int:
    found = _SPACE.match(body, place)
    return found.end() if found else place


def _read(text: str, kind: type[QueuedRecord | QueuedOutcome]) -> QueuedRecord | QueuedOutcome | None:
    try:
        return kind.read(json.loads(text))
    except (ValueError, TypeError, KeyError, AttributeError, OverflowError, RecursionError):
        return None
