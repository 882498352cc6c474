"""What the messages of the queues hold: records of predictions, and outcomes."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, ClassVar, Self, TypeVar
from uuid import UUID


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
