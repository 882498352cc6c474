"""The exported files as erasure and access requests need them: search for a subject or a request, replace, delete."""

import dataclasses
import io
import json
import re
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import UUID

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from lambda_app.maintain.files import FILES, RecordsBucket, manifest_key, part_key
from lambda_app.maintain.parquet import ID_COLUMN, ParquetFile

if TYPE_CHECKING:
    from types_boto3_s3 import S3Client

_KEY = re.compile(rf"{FILES}model_version=[^/]+/date=([0-9]{{4}}-[0-9]{{2}}-[0-9]{{2}})/part-[0-9]+\.parquet")


@dataclass(frozen=True)
class FileVersion:
    """One version of an exported file. Only the current one, and only if the manifest names it, is the export."""

    key: str
    version_id: str
    size: int
    is_current: bool

    @property
    def day(self) -> date:
        """The day of its rows."""
        return date.fromisoformat(_KEY.fullmatch(self.key)[1])  # type: ignore[index] # others are not listed


@dataclass(frozen=True)
class ExportedRow:
    """The values of a row in a file by which it is meant or not."""

    request_id: UUID
    created_at: datetime
    subject: str | None
    caller: str | None
    batch_id: UUID | None


class ExportedFiles:
    """The files of the predictions in a bucket."""

    def __init__(self, s3: "S3Client", bucket: str) -> None:
        self._s3 = s3
        self._bucket = bucket
        self._records = RecordsBucket(s3, bucket)

    def list_versions(self, first_key: str = "") -> Iterator[FileVersion]:
        """Yield every version of every file, in the order of the keys, from `first_key` on."""
        for page in self._s3.get_paginator("list_object_versions").paginate(Bucket=self._bucket, Prefix=FILES):
            for version in page.get("Versions", []):
                file = FileVersion(version["Key"], version["VersionId"], version["Size"], version["IsLatest"])
                if _KEY.fullmatch(file.key) and file.key >= first_key:
                    yield file

    def is_exported(self, file: FileVersion) -> bool:
        """Return True if the manifest of its day names it."""
        return file.is_current and any(part.key == file.key for part in self._records.read_manifest(file.day).parts)

    def search(self, file: FileVersion, subject: str | None, request_id: UUID | None) -> list[ExportedRow]:
        """Return the rows of a subject, or of a request."""
        if subject is not None:
            named, condition = ["subject"], pc.field("subject") == subject
        else:
            named = ["request_id", "batch_id"]
            condition = (pc.field("request_id") == str(request_id)) | (pc.field("batch_id") == str(request_id))
        # Most files have none, and one column is a small part of a file.
        if self._read(file, named, condition).num_rows == 0:
            return []
        columns = list(ExportedRow.__dataclass_fields__)
        return [
            ExportedRow(
                UUID(row["request_id"]),
                row["created_at"].astimezone(UTC),
                row["subject"],
                row["caller"],
                UUID(row["batch_id"]) if row["batch_id"] else None,
            )
            for row in self._read(file, columns, condition).to_pylist()
        ]

    def read_rows(self, file: FileVersion, subject: str) -> list[dict[str, Any]]:
        """Return the whole rows of a subject."""
        rows: list[dict[str, Any]] = self._read(file, None, pc.field("subject") == subject).to_pylist()
        return rows

    def replace(self, file: FileVersion, gone: Sequence[UUID]) -> None:
        """Write the file without these rows under the next number, and name that one in the manifest instead.

        The file itself stays, to be deleted. Killed in between, the same again does no harm.
        """
        manifest = self._records.read_manifest(file.day)
        [part] = [part for part in manifest.parts if part.key == file.key]
        parts = [other for other in manifest.parts if other is not part]
        with tempfile.TemporaryDirectory(prefix="erasure-") as directory:
            written = self._write_without(file, gone, Path(directory) / "part.parquet")
            if written.rows:
                key = part_key(part.model_version, file.day, manifest.find_free_number(part.model_version))
                self._records.upload(written, key)
                parts.append(
                    dataclasses.replace(
                        part, key=key, rows=written.rows, bytes=written.bytes, sha256=written.sha256, ids=written.ids
                    )
                )
        self._records.write_manifest(dataclasses.replace(manifest, parts=tuple(parts)))
        # That of a single row shows its id.
        self._delete_versions(manifest_key(file.day), keep_current=True)

    def delete(self, file: FileVersion) -> None:
        """Delete a file with all its versions."""
        self._delete_versions(file.key, keep_current=False)

    def delete_version(self, file: FileVersion) -> None:
        """Delete one version of a file for good."""
        self._s3.delete_object(Bucket=self._bucket, Key=file.key, VersionId=file.version_id)

    def _read(self, file: FileVersion, columns: list[str] | None, condition: pc.Expression) -> pa.Table:
        source = _ObjectReader(self._s3, self._bucket, file)
        # By column and row group, and without columns that the names of the directories would add.
        return pq.read_table(source, columns=columns, filters=condition, partitioning=None)

    def _write_without(self, file: FileVersion, gone: Sequence[UUID], path: Path) -> ParquetFile:
        ids = pa.array([str(request_id) for request_id in gone])
        source = pq.ParquetFile(_ObjectReader(self._s3, self._bucket, file))
        written = ParquetFile(path, source.schema_arrow)
        for group in range(source.num_row_groups):
            rows = source.read_row_group(group)
            kept = rows.filter(pc.invert(pc.is_in(rows[ID_COLUMN], value_set=ids))).combine_chunks()
            if kept.num_rows:
                written.write(kept)
        written.close()
        return written

    def _delete_versions(self, key: str, *, keep_current: bool) -> None:
        for page in self._s3.get_paginator("list_object_versions").paginate(Bucket=self._bucket, Prefix=key):
            for version in (*page.get("Versions", []), *page.get("DeleteMarkers", [])):
                if version["Key"] == key and not (keep_current and version["IsLatest"]):
                    self._s3.delete_object(Bucket=self._bucket, Key=key, VersionId=version["VersionId"])


class _ObjectReader(io.RawIOBase):
    """Reads ranges of an object, so that a search need not fetch all of it."""

    def __init__(self, s3: "S3Client", bucket: str, file: FileVersion) -> None:
        self._s3 = s3
        self._bucket = bucket
        self._file = file
        self._place = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._place

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        start = {io.SEEK_SET: 0, io.SEEK_CUR: self._place, io.SEEK_END: self._file.size}[whence]
        self._place = start + offset
        return self._place

    def readinto(self, buffer: Any) -> int:
        length = min(len(buffer), self._file.size - self._place)
        if length <= 0:
            return 0
        answer = self._s3.get_object(
            Bucket=self._bucket,
            Key=self._file.key,
            VersionId=self._file.version_id,
            Range=f"bytes={self._place}-{self._place + length - 1}",
        )
        content = answer["Body"].read()
        buffer[: len(content)] = content
        self._place += len(content)
        return len(content)


def list_fields(row: Mapping[str, Any]) -> dict[str, Any]:
    """A row of a file as JSON has it."""
    return {
        name: value.astimezone(UTC).isoformat()
        if isinstance(value, datetime)
        else json.loads(value)
        if name == "warnings" and value is not None
        else value
        for name, value in row.items()
    }
