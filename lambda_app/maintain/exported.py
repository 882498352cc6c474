"""The exported files as erasure and access requests need them: search, replace, delete."""

import contextlib
import dataclasses
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
from botocore.exceptions import BotoCoreError, ClientError

from lambda_app.maintain.files import RecordsBucket
from lambda_app.maintain.manifest import Manifest, Part, manifest_key, part_key
from lambda_app.maintain.object_reader import ObjectReader
from lambda_app.maintain.parquet import ParquetFile
from lambda_app.maintain.tables import ExportedTable
from lambda_app.tasks import TaskFailedError

if TYPE_CHECKING:
    from types_boto3_s3 import S3Client

_KEY = re.compile(r"[a-z]+/(?:[a-z_]+=[^/]+/)?date=([0-9]{4}-[0-9]{2}-[0-9]{2})/part-[0-9]+\.parquet")


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


class ExportedFiles:
    """The files of a table in a bucket."""

    def __init__(self, s3: "S3Client", bucket: str, table: ExportedTable) -> None:
        self._s3 = s3
        self._bucket = bucket
        self._table = table
        self._records = RecordsBucket(s3, bucket, table)

    def list_versions(self, first_key: str = "") -> Iterator[FileVersion]:
        """Yield every version of every file, in the order of the keys, from `first_key` on."""
        pages = self._s3.get_paginator("list_object_versions").paginate(Bucket=self._bucket, Prefix=self._table.prefix)
        for page in pages:
            for version in page.get("Versions", []):
                file = FileVersion(version["Key"], version["VersionId"], version["Size"], version["IsLatest"])
                if _KEY.fullmatch(file.key) and file.key >= first_key:
                    yield file

    def is_exported(self, file: FileVersion) -> bool:
        """Return True if the manifest of its day names it."""
        return file.is_current and self._records.read_manifest(file.day).find_part(file.key) is not None

    def read_column(self, file: FileVersion, name: str) -> list[Any]:
        """Return the distinct values of a column, which is a small part of a file."""
        values: list[Any] = pc.unique(self._read(file, [name], None)[name]).to_pylist()
        return values

    def read_rows(
        self, file: FileVersion, condition: pc.Expression, columns: list[str] | None = None
    ) -> list[dict[str, Any]]:
        """Return the rows that meet a condition, whole or with some columns."""
        rows: list[dict[str, Any]] = self._read(file, columns, condition).to_pylist()
        return rows

    def require_intact(self, part: Part) -> None:
        """TaskFailedError if the current version of a file is not what was exported: then an old one may be."""
        if fault := self._records.find_fault(part):
            raise TaskFailedError(fault)

    def replace(self, file: FileVersion, manifest: Manifest, gone: Sequence[UUID]) -> None:
        """Write the file without the rows of these ids under the next number, which the manifest then names instead.

        The file itself stays, to be deleted. Killed in between, the same again does no harm.
        """
        [part] = [part for part in manifest.parts if part.key == file.key]
        parts = [other for other in manifest.parts if other is not part]
        with tempfile.TemporaryDirectory(prefix="erasure-") as path:
            written = self._write_without(file, gone, Path(path) / "part.parquet")
            if written.rows:
                directory = self._table.name_directory(part.model_version)
                key = part_key(directory, file.day, manifest.find_free_number(directory))
                self._records.upload(written, key)
                parts.append(
                    dataclasses.replace(
                        part, key=key, rows=written.rows, bytes=written.bytes, sha256=written.sha256, ids=written.ids
                    )
                )
        self._records.write_manifest(dataclasses.replace(manifest, parts=tuple(parts)))
        self.delete_old_manifests(file.day)

    def delete_old_manifests(self, day: date) -> None:
        """Delete all versions of a day's manifest but the current one: that of a single row shows its id."""
        self._delete_versions(manifest_key(self._table, day), keep_current=True)

    def remove_rows(self, file: FileVersion, manifest: Manifest, gone: Sequence[UUID]) -> None:
        """Take the rows of these ids out of a version that is not the export.

        The current version of a file keeps its other rows. An old one goes whole, but only while the manifest's files
        are what was exported; else TaskFailedError.
        """
        if not file.is_current:
            if part := manifest.find_part(file.key):
                self.require_intact(part)
            self._s3.delete_object(Bucket=self._bucket, Key=file.key, VersionId=file.version_id)
            return
        with tempfile.TemporaryDirectory(prefix="erasure-") as path:
            written = self._write_without(file, gone, Path(path) / "part.parquet")
            if written.rows:
                self._records.upload(written, file.key)
        self._delete_versions(file.key, keep_current=written.rows > 0)

    def delete(self, file: FileVersion) -> None:
        """Delete a file with all its versions."""
        self._delete_versions(file.key, keep_current=False)

    def _read(self, file: FileVersion, columns: list[str] | None, condition: pc.Expression | None) -> pa.Table:
        with _naming(file):
            # By column and row group, and without columns that the names of the directories would add.
            return pq.read_table(self._open(file), columns=columns, filters=condition, partitioning=None)

    def _open(self, file: FileVersion) -> ObjectReader:
        return ObjectReader(self._s3, self._bucket, file.key, file.version_id, file.size)

    def _write_without(self, file: FileVersion, gone: Sequence[UUID], path: Path) -> ParquetFile:
        ids = pa.array([str(gone_id) for gone_id in gone])
        with _naming(file):
            source = pq.ParquetFile(self._open(file))
            written = ParquetFile(path, source.schema_arrow, self._table.id_column)
            for group in range(source.num_row_groups):
                rows = source.read_row_group(group)
                kept = rows.filter(pc.invert(pc.is_in(rows[self._table.id_column], value_set=ids))).combine_chunks()
                if kept.num_rows:
                    written.write(kept)
            written.close()
        return written

    def _delete_versions(self, key: str, *, keep_current: bool) -> None:
        for page in self._s3.get_paginator("list_object_versions").paginate(Bucket=self._bucket, Prefix=key):
            for version in (*page.get("Versions", []), *page.get("DeleteMarkers", [])):
                if version["Key"] == key and not (keep_current and version["IsLatest"]):
                    self._s3.delete_object(Bucket=self._bucket, Key=key, VersionId=version["VersionId"])


@contextlib.contextmanager
def _naming(file: FileVersion) -> Iterator[None]:
    """Name the file in the error where it is damaged."""
    try:
        yield
    except (BotoCoreError, ClientError):
        # S3's failure and not the file's; some of these are an OSError, as some of Arrow's are.
        raise
    except (pa.ArrowException, OSError, KeyError) as error:
        kind = "" if file.is_current else "an old version of "
        raise TaskFailedError(f"{kind}{file.key} cannot be read: {type(error).__name__}") from None


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
