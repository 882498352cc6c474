"""Reads outcomes from a CSV file, row by row, and remembers how far they were sent."""

import csv
import hashlib
import json
import os
import re
from collections.abc import Iterator
from contextlib import closing
from dataclasses import asdict, dataclass
from datetime import datetime
from math import isfinite
from pathlib import Path
from typing import IO, Any

from training.live.errors import LiveError

COLUMNS = ("request_id", "value", "observed_at")
NUMBER = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?")
# As the service takes them. Python reads more forms, of any length, which could make a request too large.
ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
TIME = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d{1,9})?(Z|[+-]\d\d:\d\d)", re.ASCII)


@dataclass(frozen=True)
class Row:
    """A row of the file; `line` is its last line. `fault` says what is wrong with its form, None if nothing is."""

    line: int
    texts: tuple[str, ...]
    fault: str | None
    # Of the file up to this row.
    sha256: str

    def make_item(self) -> dict[str, Any]:
        """The row as an item of a request; only for a row without a fault."""
        request_id, value, observed_at = self.texts
        return {"request_id": request_id, "value": float(value), "observed_at": observed_at}


@dataclass
class Sent:
    """How much of a file was settled, that is sent or refused, and to which stack."""

    to: str
    rows: int = 0
    sha256: str = ""
    refused: int = 0
    # Of the file of the refused rows.
    refused_bytes: int = 0
    refused_sha256: str = ""


def read_rows(path: Path) -> Iterator[Row]:
    """Yield the rows; LiveError when the file is no CSV with the three columns, in UTF-8."""
    with closing(_HashedLines(path)) as lines:
        reader = csv.reader(lines, strict=True)
        try:
            head = [name.strip() for name in next(reader, [])]
            if missing := [name for name in COLUMNS if head.count(name) != 1]:
                raise LiveError(f"{path} must have the column {' and '.join(missing)}, once: its first line names them")
            places = [head.index(name) for name in COLUMNS]
            for cells in reader:
                if not cells:
                    continue
                texts = tuple(cells[place].strip() if place < len(cells) else "" for place in places)
                fault = "the row has not as many cells as the first line" if len(cells) != len(head) else None
                yield Row(reader.line_num, texts, fault or find_fault(*texts), lines.hexdigest())
        except UnicodeDecodeError as error:
            raise LiveError(f"{path} is not UTF-8, after line {lines.count}") from error
        except csv.Error as error:
            raise LiveError(f"{path} is not CSV in line {reader.line_num}: {error}") from error


def find_fault(request_id: str, value: str, observed_at: str) -> str | None:
    """Say why these texts make no item; None if they do. Whether the outcome is possible, the service says."""
    if not ID.fullmatch(request_id.lower()):
        return "request_id must be the UUID of a prediction"
    if not NUMBER.fullmatch(value) or not isfinite(float(value)):
        return "value must be a number with a decimal point"
    try:
        if TIME.fullmatch(observed_at.upper()):
            datetime.fromisoformat(observed_at.upper())
            return None
    except ValueError:
        pass
    return "observed_at must be a time with its offset, such as 2026-01-31T23:59:59Z"


class RefusedRows:
    """The file of the rows that were not taken, as they were, each with its line and the reason.

    It goes on where `sent` ends. Raises LiveError if somebody has changed it since.
    """

    def __init__(self, path: Path, sent: Sent) -> None:
        # Without a refused row there was no file in the end.
        kept_bytes = sent.refused_bytes if sent.refused else 0
        self._file = path.open("r+b" if kept_bytes else "w+b")
        self._digest = hashlib.sha256(self._file.read(kept_bytes))
        if kept_bytes and self._digest.hexdigest() != sent.refused_sha256:
            self.close()
            raise LiveError(f"{path} has changed since it was written: give it another name, and run the same again")
        # What was written after the last state was saved comes again.
        self._file.truncate(kept_bytes)
        if not kept_bytes:
            self._write(*COLUMNS, "line", "reason")

    def add(self, row: Row, reason: str) -> None:
        """Write a row."""
        self._write(*row.texts, str(row.line), reason)

    def flush(self) -> tuple[int, str]:
        """Bring it to the disk; return the size in bytes and the SHA-256."""
        self._file.flush()
        return self._file.tell(), self._digest.hexdigest()

    def close(self) -> None:
        """End it."""
        self._file.close()

    def _write(self, *cells: str) -> None:
        line = (",".join(_quote(cell) for cell in cells) + "\n").encode()
        self._digest.update(line)
        self._file.write(line)


def load_sent(path: Path, to: str) -> Sent:
    """Read what was settled with this stack; nothing if the file of it is not there, or of another stack."""
    try:
        sent = Sent(**json.loads(path.read_bytes()))
    except FileNotFoundError:
        return Sent(to)
    except (TypeError, ValueError) as error:
        raise LiveError(f"{path} is damaged: remove it, and all rows are sent again, which changes nothing") from error
    return sent if sent.to == to else Sent(to)


def save_sent(path: Path, sent: Sent) -> None:
    """Replace the file at once, so that a kill leaves the old one or the new one."""
    new = path.with_name(f"{path.name}.new")
    new.write_text(json.dumps(asdict(sent)) + "\n", encoding="utf-8")
    os.replace(new, path)


class _HashedLines:
    """The lines of a file as text, and the SHA-256 of those that were read."""

    def __init__(self, path: Path) -> None:
        self._file: IO[bytes] = path.open("rb")
        self._digest = hashlib.sha256()
        self.count = 0

    def __iter__(self) -> Iterator[str]:
        for line in self._file:
            # A line is its own text, whether or not its end is there yet: rows may be added later.
            self._digest.update(line.rstrip(b"\r\n"))
            text = line.decode("utf-8-sig" if self.count == 0 else "utf-8")
            self.count += 1
            yield text

    def hexdigest(self) -> str:
        return self._digest.copy().hexdigest()

    def close(self) -> None:
        self._file.close()


def _quote(cell: str) -> str:
    return '"' + cell.replace('"', '""') + '"' if set(cell) & set(',"\r\n') else cell
