"""Rows of PostgreSQL's COPY as Parquet files, in little memory."""

import hashlib
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Self

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet

# Rows become a row group when their CSV has this size.
GROUP_BYTES = 16 * 1024 * 1024
# A file ends with the row group that brings it to this number.
FILE_ROWS = 1_000_000

_TYPES = {
    "uuid": pa.string(),
    "text": pa.string(),
    "jsonb": pa.string(),
    "double precision": pa.float64(),
    "real": pa.float32(),
    "bigint": pa.int64(),
    "integer": pa.int32(),
    "smallint": pa.int16(),
    "timestamp with time zone": pa.timestamp("us", tz="UTC"),
}
# The value of each hexadecimal digit, by its code.
_DIGITS = np.zeros(128, np.uint8)
_DIGITS[[ord(digit) for digit in "0123456789abcdef"]] = range(16)
_ID_LENGTH = 36


def make_schema(columns: Mapping[str, str]) -> pa.Schema:
    """The schema of a file with these columns and PostgreSQL types."""
    return pa.schema([(name, _TYPES[kind]) for name, kind in columns.items()])


class ParquetFile:
    """A file with its row count, its bytes, their SHA-256, and the XOR of each half of its ids."""

    def __init__(self, path: Path, schema: pa.Schema, id_column: str) -> None:
        self.path = path
        self._id_column = id_column
        self.rows = self.bytes = 0
        self.sha256 = ""
        self._ids = np.zeros(_ID_LENGTH, np.uint8)
        self._writer = pyarrow.parquet.ParquetWriter(path, schema, compression="zstd")

    @property
    def ids(self) -> tuple[int, int]:
        digits = "".join(f"{digit:x}" for place, digit in enumerate(self._ids) if place not in {8, 13, 18, 23})
        first, second = (int.from_bytes(bytes.fromhex(half), signed=True) for half in (digits[:16], digits[16:]))
        return first, second

    def write(self, table: pa.Table) -> None:
        """Add a row group."""
        self._writer.write_table(table, row_group_size=max(table.num_rows, 1))
        self.rows += table.num_rows
        for chunk in table[self._id_column].chunks:
            self._ids ^= _fold_ids(chunk)

    def close(self) -> None:
        """Complete the file; from here on it has its bytes and their digest."""
        self._writer.close()
        with self.path.open("rb") as file:
            self.sha256 = hashlib.file_digest(file, "sha256").hexdigest()
        self.bytes = self.path.stat().st_size


def _fold_ids(ids: pa.StringArray) -> np.ndarray:
    """The XOR of the values of each place of the ids."""
    _, _, text = ids.buffers()
    codes = np.frombuffer(text, np.uint8, len(ids) * _ID_LENGTH, ids.offset * _ID_LENGTH)
    folded: np.ndarray = np.bitwise_xor.reduce(_DIGITS[codes.reshape(len(ids), _ID_LENGTH)], axis=0)
    return folded


class FileWriter:
    """Receives the messages of `COPY ... TO STDOUT (FORMAT csv)`, each of which is a row, and writes files.

    Each file is handed to `on_file`, and removed afterwards. The rows are in it when the `with` block ends.
    """

    def __init__(self, schema: pa.Schema, id_column: str, on_file: Callable[[ParquetFile], None]) -> None:
        self._schema = schema
        self._id_column = id_column
        self._on_file = on_file
        self._lines: list[bytes] = []
        self._size = 0
        self._file: ParquetFile | None = None
        self._directory = tempfile.TemporaryDirectory(prefix="export-")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        try:
            if kind is None:
                self._write_group()
                self._finish_file()
        finally:
            self._directory.cleanup()

    def write(self, line: bytes) -> None:
        """Take a row."""
        self._lines.append(line)
        self._size += len(line)
        if self._size >= GROUP_BYTES:
            self._write_group()

    def _write_group(self) -> None:
        if not self._lines:
            return
        content = pa.py_buffer(b"".join(self._lines))
        self._lines, self._size = [], 0
        table = _read_csv(content, self._schema)
        if self._file is None:
            self._file = ParquetFile(Path(self._directory.name) / "part.parquet", self._schema, self._id_column)
        self._file.write(table)
        if self._file.rows >= FILE_ROWS:
            self._finish_file()

    def _finish_file(self) -> None:
        file, self._file = self._file, None
        if file is not None:
            file.close()
            self._on_file(file)
            file.path.unlink()


def _read_csv(content: pa.Buffer, schema: pa.Schema) -> pa.Table:
    return pyarrow.csv.read_csv(
        pa.BufferReader(content),
        # In one block, since rows of several were cut at the ends of rows already.
        pyarrow.csv.ReadOptions(use_threads=False, block_size=content.size + 1, column_names=schema.names),
        pyarrow.csv.ParseOptions(newlines_in_values=True),
        pyarrow.csv.ConvertOptions(
            column_types=schema,
            # COPY writes NULL as nothing, and an empty text as "".
            null_values=[""],
            strings_can_be_null=True,
            quoted_strings_can_be_null=False,
        ),
    )
