"""The exported files as erasure and access requests need them: search for a subject or a request, replace, delete."""

import base64
import hashlib
import io
import json
import re
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import IO, TYPE_CHECKING, Any
from uuid import UUID

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

if TYPE_CHECKING:
    from types_boto3_s3 import S3Client

PREFIX = "predictions/"
_KEY = re.compile(r"(?P<directory>predictions/model_version=[^/]+/date=(?P<day>[0-9-]{10}))/part-[0-9]+\.parquet")
_PART_NUMBER = re.compile(r"/part-([0-9]+)\.parquet$")
_HALF = 2**64


@dataclass(frozen=True)
class FileVersion:
    """One version of an exported file. Only the current one, and only if the manifest names it, is the export."""

    key: str
    version_id: str
    size: int
    is_current: bool

    @property
    def day(self) -> str:
        """The day, as in the key."""
        found = _KEY.fullmatch(self.key)
        return found["day"] if found else ""


@dataclass(frozen=True)
class ExportedRow:
    """What tells of a row in a file whether it is meant."""

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

    def list_versions(self, first_key: str = "") -> Iterator[FileVersion]:
        """Yield every version of every file, in the order of the keys, from `first_key` on."""
        for page in self._s3.get_paginator("list_object_versions").paginate(Bucket=self._bucket, Prefix=PREFIX):
            for version in page.get("Versions", []):
                file = FileVersion(version["Key"], version["VersionId"], version["Size"], version["IsLatest"])
                if file.day and file.key >= first_key:
                    yield file

    def is_exported(self, file: FileVersion) -> bool:
        """Return True if the manifest of its day names it."""
        return file.is_current and any(part["key"] == file.key for part in self._read_manifest(file.day)["parts"])

    def search(self, file: FileVersion, subject: str | None, request_id: UUID | None) -> list[ExportedRow]:
        """Return the rows of a subject, or of a request. Of a large file only some columns are read."""
        if subject is not None:
            condition = pc.field("subject") == subject
        else:
            condition = (pc.field("request_id") == str(request_id)) | (pc.field("batch_id") == str(request_id))
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
        manifest = self._read_manifest(file.day)
        [part] = [part for part in manifest["parts"] if part["key"] == file.key]
        others = [other for other in manifest["parts"] if other["key"] != file.key]
        with tempfile.TemporaryFile() as written:
            count, size, digest = self._write_without(file, gone, written)
            if count:
                number = 1 + max(_read_number(other["key"]) for other in manifest["parts"])
                key = f"{file.key.rpartition('/')[0]}/part-{number:04d}.parquet"
                self._put(key, written, digest)
                others.append(
                    {
                        **part,
                        "key": key,
                        "rows": count,
                        "bytes": size,
                        "sha256": digest.hex(),
                        "ids": _remove_ids(part["ids"], gone),
                    }
                )
        body = json.dumps({**manifest, "parts": others}).encode()
        key = _name_manifest(file.day)
        self._put(key, io.BytesIO(body), hashlib.sha256(body).digest())
        # The one of a part with a single row shows its id.
        self._delete_versions(key, keep_current=True)

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

    def _write_without(self, file: FileVersion, gone: Sequence[UUID], target: IO[bytes]) -> tuple[int, int, bytes]:
        """Return the number of rows, the size and the SHA-256."""
        ids = pa.array([str(request_id) for request_id in gone])
        source = pq.ParquetFile(_ObjectReader(self._s3, self._bucket, file))
        count = 0
        with pq.ParquetWriter(target, source.schema_arrow, compression="zstd") as writer:
            for group in range(source.num_row_groups):
                rows = source.read_row_group(group)
                kept = rows.filter(pc.invert(pc.is_in(rows["request_id"], value_set=ids)))
                if kept.num_rows:
                    writer.write_table(kept)
                    count += kept.num_rows
        size = target.tell()
        target.seek(0)
        return count, size, hashlib.file_digest(target, "sha256").digest()

    def _read_manifest(self, day: str) -> dict[str, Any]:
        try:
            answer = self._s3.get_object(Bucket=self._bucket, Key=_name_manifest(day))
        except self._s3.exceptions.NoSuchKey:
            return {"parts": []}
        manifest: dict[str, Any] = json.loads(answer["Body"].read())
        return manifest

    def _put(self, key: str, body: IO[bytes], digest: bytes) -> None:
        body.seek(0)
        checksum = base64.b64encode(digest).decode()
        self._s3.put_object(Bucket=self._bucket, Key=key, Body=body, ChecksumSHA256=checksum)

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


def _name_manifest(day: str) -> str:
    return f"manifests/predictions/{day}.json"


def _read_number(key: str) -> int:
    found = _PART_NUMBER.search(key)
    return int(found[1]) if found else 0


def _remove_ids(ids: Sequence[int], gone: Sequence[UUID]) -> list[int]:
    """The XOR of the two halves of the ids that are left, as signed numbers."""
    halves = [number % _HALF for number in ids]
    for request_id in gone:
        halves = [halves[0] ^ (request_id.int >> 64), halves[1] ^ (request_id.int % _HALF)]
    return [half - _HALF if half >= _HALF // 2 else half for half in halves]


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
