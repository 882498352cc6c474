"""Legal holds: records that expiry and erasure pass over. A removed hold stays in its table, as evidence."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pg8000.native

from lambda_app.maintain.parameters import read_day, read_number, read_one_name, read_subject, read_text
from lambda_app.maintain.tools import MaintenanceTools
from lambda_app.tasks import TaskError

_COLUMNS = ("id", "subject", "caller", "starts", "ends", "reason", "placed_by", "placed_at", "removed_by", "removed_at")
_LIST = f"SELECT {', '.join(_COLUMNS)} FROM holds ORDER BY id"  # noqa: S608 (our own names)
_ADD = (
    "INSERT INTO holds (subject, caller, starts, ends, reason, placed_by) "
    "VALUES (:subject, :caller, :starts, :ends, :reason, :by) RETURNING id"
)
_REMOVE = "UPDATE holds SET removed_by = :by, removed_at = now() WHERE id = :id AND removed_at IS NULL RETURNING id"
_FIND_ACTIVE = "SELECT id, subject, caller, starts, ends FROM holds WHERE removed_at IS NULL ORDER BY id"


@dataclass(frozen=True)
class Hold:
    """A hold that is in force: of a subject, a caller, or a period."""

    number: int
    subject: str | None
    caller: str | None
    starts: datetime | None
    ends: datetime | None

    def keeps(self, subject: str | None, caller: str | None, created_at: datetime) -> bool:
        """Return True if it keeps such a record, as is_held does in the database."""
        if self.starts is not None and self.ends is not None:
            return self.starts <= created_at < self.ends
        return (self.subject or self.caller) == (subject if self.subject else caller)


class Holds:
    """The holds in force, for records outside the table. Notes what each of them keeps."""

    def __init__(self) -> None:
        self._holds: tuple[Hold, ...] = ()
        self._kept: dict[int, set[UUID]] = defaultdict(set)

    def read(self, connection: pg8000.native.Connection) -> None:
        """Read those that are in force now; what was noted stays."""
        self._holds = tuple(Hold(*row) for row in connection.run(_FIND_ACTIVE) or [])

    def keep(self, request_id: UUID, subject: str | None, caller: str | None, created_at: datetime) -> bool:
        """Return True if a hold keeps the record."""
        keeping = [hold.number for hold in self._holds if hold.keeps(subject, caller, created_at)]
        for number in keeping:
            self._kept[number].add(request_id)
        return bool(keeping)

    def count_kept(self) -> dict[int, int]:
        """How many records each hold keeps, of those that were asked about."""
        return {number: len(ids) for number, ids in self._kept.items()}


def add_hold(tools: MaintenanceTools, event: Mapping[str, Any]) -> dict[str, Any]:
    """Place a hold on a subject, a caller, or the days from `starts` to `ends`, both included.

    Erasures that run at this moment may have taken some of it: the answer names those that are open.
    """
    name = read_one_name(event, "subject", "caller", "starts")
    scope: dict[str, Any] = dict.fromkeys(("subject", "caller", "starts", "ends"))
    if name == "starts":
        scope["starts"], scope["ends"] = read_day(event, "starts"), _find_end(read_day(event, "ends"))
        if scope["starts"] >= scope["ends"]:
            raise TaskError("ends must not be before starts")
    else:
        scope[name] = read_subject(event) if name == "subject" else read_text(event, "caller", 2048)
    values = scope | {"reason": read_text(event, "reason", 1000), "by": read_text(event, "by", 2048)}

    def work(connection: pg8000.native.Connection) -> dict[str, Any]:
        [[number]] = connection.run(_ADD, **values)
        opened = connection.run("SELECT id FROM erasures WHERE completed_at IS NULL ORDER BY id") or []
        return {"hold": number, "open_erasures": [erasure for [erasure] in opened]}

    return tools.database.run_transaction(work)


def list_holds(tools: MaintenanceTools, _: Mapping[str, Any]) -> dict[str, Any]:
    """Return all holds, also those that were removed."""
    rows = tools.select(_LIST)
    return {"holds": [{name: _to_json(value) for name, value in zip(_COLUMNS, row, strict=True)} for row in rows]}


def list_keeping_holds(
    tools: MaintenanceTools, subject: str, records: Iterable[tuple[str | None, datetime]]
) -> list[dict[str, Any]]:
    """The holds on a subject, also those that were removed, and those in force that keep one of its records.

    Each record is given by its caller and its time.
    """
    active = Holds()
    tools.database.run_statement(active.read)
    for caller, time in records:
        active.keep(UUID(int=0), subject, caller, time)
    keeping = active.count_kept()
    return [hold for hold in list_holds(tools, {})["holds"] if hold["subject"] == subject or hold["id"] in keeping]


def remove_hold(tools: MaintenanceTools, event: Mapping[str, Any]) -> dict[str, Any]:
    """End a hold. Open erasures go on with the next daily run, or when they are asked for again."""
    number, by = read_number(event, "hold"), read_text(event, "by", 2048)
    if not tools.database.run_statement(lambda connection: connection.run(_REMOVE, id=number, by=by)):
        raise TaskError(f"there is no hold {number}, or it was removed before")
    return {"hold": number}


def _find_end(day: datetime) -> datetime:
    """The end of a day in UTC; of the last day of all, its last microsecond."""
    return day + min(timedelta(days=1), datetime.max.replace(tzinfo=UTC) - day)


def _to_json(value: Any) -> Any:
    return value.astimezone(UTC).isoformat() if isinstance(value, datetime) else value
