"""The manifest of a day: which files its export has, and until when their rows had been recorded."""

import json
from dataclasses import asdict, dataclass, replace
from datetime import date, datetime
from typing import Any

from lambda_app.maintain.tables import ExportedTable
from lambda_app.tasks import TaskFailedError


@dataclass(frozen=True)
class Part:
    """A file of a day. `ids` is the XOR of each half of its ids; `exported_at` is the database's time.

    Files of outcomes are of no model version.
    """

    key: str
    model_version: str | None
    rows: int
    bytes: int
    sha256: str
    ids: tuple[int, int]
    exported_at: datetime


@dataclass(frozen=True)
class ReplacedPart:
    """A file that was exported again because it differed from the table. S3 keeps it for a time as an old version."""

    key: str
    rows: int
    sha256: str
    exported_at: datetime
    replaced_at: datetime
    replaced_by: str


@dataclass(frozen=True)
class Manifest:
    """The files of a day, with its rows that were recorded until `recorded_until`: None before the first export."""

    date: date
    recorded_until: datetime | None
    parts: tuple[Part, ...] = ()
    replaced: tuple[ReplacedPart, ...] = ()

    def add(self, recorded_until: datetime, parts: list[Part]) -> "Manifest":
        """Return it with further files."""
        return replace(self, recorded_until=recorded_until, parts=(*self.parts, *parts))

    def find_part(self, key: str) -> Part | None:
        """Return the entry of a file."""
        return next((part for part in self.parts if part.key == key), None)

    def find_free_number(self, directory: str) -> int:
        """The number after that of the last file of a directory."""
        keys = [part.key for part in self.parts] + [part.key for part in self.replaced]
        keys = [key for key in keys if key.startswith(f"{directory}date=")]
        return max((int(key[-12:-8]) + 1 for key in keys), default=0)

    def encode(self) -> bytes:
        """Return its JSON."""
        document = asdict(self)
        if not self.replaced:
            # Hardly any has it.
            del document["replaced"]
        return json.dumps(document, indent=1, default=lambda value: value.isoformat()).encode()


def manifest_key(table: ExportedTable, day: date) -> str:
    """The key of a day's manifest."""
    return f"{table.manifests}{day}.json"


def part_key(directory: str, day: date, number: int) -> str:
    """The key of a file of a day."""
    return f"{directory}date={day}/part-{number:04}.parquet"


def fold_parts(parts: list[Part]) -> tuple[int, list[int]]:
    """The rows of some files, and the XOR of each half of their ids."""
    first = second = 0
    for part in parts:
        first, second = first ^ part.ids[0], second ^ part.ids[1]
    return sum(part.rows for part in parts), [first, second]


def parse_manifest(content: bytes, table: ExportedTable, day: date) -> Manifest:
    """Read a manifest; TaskFailedError names that of the day if it is none, or another day's."""
    key = manifest_key(table, day)
    try:
        document = json.loads(content)
        manifest = Manifest(
            date.fromisoformat(document["date"]),
            _read_time(document["recorded_until"]),
            tuple(_read_part(part) for part in document["parts"]),
            tuple(_read_replaced(part) for part in document.get("replaced", ())),
        )
    except (AttributeError, KeyError, TypeError, ValueError):
        raise TaskFailedError(f"{key} is no manifest") from None
    if manifest.date != day:
        raise TaskFailedError(f"{key} is of {manifest.date}")
    for part in manifest.parts:
        if not part.key.startswith(f"{table.name_directory(part.model_version)}date={day}/"):
            raise TaskFailedError(f"{key} names {part.key}, which is no file of that day")
    return manifest


def _read_part(part: dict[str, Any]) -> Part:
    first, second = part["ids"]
    return Part(
        str(part["key"]),
        part["model_version"],
        int(part["rows"]),
        int(part["bytes"]),
        str(part["sha256"]),
        (int(first), int(second)),
        _read_time(part["exported_at"]),
    )


def _read_replaced(part: dict[str, Any]) -> ReplacedPart:
    return ReplacedPart(
        str(part["key"]),
        int(part["rows"]),
        str(part["sha256"]),
        _read_time(part["exported_at"]),
        _read_time(part["replaced_at"]),
        str(part["replaced_by"]),
    )


def _read_time(text: str) -> datetime:
    time = datetime.fromisoformat(text)
    if time.tzinfo is None:
        raise ValueError
    return time
