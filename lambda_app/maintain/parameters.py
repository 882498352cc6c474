"""Reads the parameters of an event."""

from collections.abc import Mapping
from datetime import UTC, date, datetime
from typing import Any
from uuid import UUID

from lambda_app.tasks import TaskError


def read_text(event: Mapping[str, Any], name: str, longest: int) -> str:
    """The text of an event; raises TaskError, which does not quote it."""
    value = event.get(name)
    if not isinstance(value, str) or not 1 <= len(value) <= longest or not value.isprintable():
        raise TaskError(f"{name} must be a text of 1 to {longest} printable characters")
    return value


def read_subject(event: Mapping[str, Any]) -> str:
    """The subject of an event, of the form that the API accepts; raises TaskError."""
    return read_text(event, "subject", 128)


def read_id(event: Mapping[str, Any], name: str) -> UUID:
    """The UUID of an event; raises TaskError."""
    try:
        return UUID(read_text(event, name, 36))
    except ValueError:
        raise TaskError(f"{name} must be a UUID") from None


def read_number(event: Mapping[str, Any], name: str) -> int:
    """The number of a hold or an erasure; raises TaskError."""
    value = event.get(name)
    if type(value) is not int or not 1 <= value < 2**63:
        raise TaskError(f"{name} must be a whole number from 1 on")
    return value


def read_day(event: Mapping[str, Any], name: str) -> datetime:
    """The beginning of a day in UTC, of an event; raises TaskError."""
    try:
        day = date.fromisoformat(read_text(event, name, 10))
    except ValueError:
        raise TaskError(f"{name} must be a day such as 2026-01-31") from None
    return datetime(day.year, day.month, day.day, tzinfo=UTC)


def read_one_name(event: Mapping[str, Any], *names: str) -> str:
    """The one of these names that the event has; raises TaskError unless it is exactly one."""
    given = [name for name in names if event.get(name) is not None]
    if len(given) != 1:
        raise TaskError(f"name exactly one of {', '.join(names)}")
    return given[0]
