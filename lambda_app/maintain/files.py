"""The bucket of records: Parquet files in Hive's layout, and for each day a manifest, the truth about its files."""

import base64
import json
from dataclasses import asdict, dataclass, replace
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from lambda_app.maintain.parquet import ParquetFile
from lambda_app.maintain.tables import ExportedTable

if TYPE_CHECKING:
    from types_boto3_s3 import S3Client


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
    """The files of a day, with its rows that were recorded until `recorded_until`."""

    date: date
    recorded_until: datetime | None
    parts: tuple[Part, ...] = ()
    replaced: tuple[ReplacedPart, ...] = ()

    def add(self, recorded_until: datetime, parts: list[Part]) -> "Manifest":
        """Return it with further files."""
        return replace(self, recorded_until=recorded_until, parts=(*self.parts, *parts))

    def find_free_number(self, directory: str) -> int:
        """The number after that of the last file of a directory."""
        keys = [part.key for part in self.parts] + [part.key for part in self.replaced]
        keys = [key for key in keys if key.startswith(f"{directory}date=")]
        return max((int(key[-12:-8]) + 1 for key in keys), default=0)


class RecordsBucket:
    """The files and manifests of a table in S3."""

    def __init__(self, s3: "S3Client", name: str, table: ExportedTable) -> None:
        self._s3 = s3
        self._name = name
        self._table = table

    def read_manifest(self, day: date) -> Manifest:
        """The day's; an empty one before the first export."""
        try:
            body = self._s3.get_object(Bucket=self._name, Key=manifest_key(self._table, day))["Body"].read()
        except ClientError as error:
            if error.response["Error"]["Code"] == "NoSuchKey":
                return Manifest(day, None)
            raise
        return _parse_manifest(json.loads(body))

    def read_manifests(self, month: date) -> list[Manifest]:
        """Those of all days of a month, in their order."""
        days = [month + timedelta(days=n) for n in range(31)]
        return [self.read_manifest(day) for day in days if day.month == month.month]

    def write_manifest(self, manifest: Manifest) -> None:
        """Replace the day's. From here on its files count."""
        document = asdict(manifest)
        if not manifest.replaced:
            # Hardly any has it.
            del document["replaced"]
        self._s3.put_object(
            Bucket=self._name,
            Key=manifest_key(self._table, manifest.date),
            Body=json.dumps(document, indent=1, default=lambda value: value.isoformat()).encode(),
            ContentType="application/json",
            ChecksumAlgorithm="SHA256",
        )

    def upload(self, file: ParquetFile, key: str) -> None:
        """Store the file; S3 refuses it if other bytes arrive."""
        digest = base64.b64encode(bytes.fromhex(file.sha256)).decode()
        with file.path.open("rb") as body:
            self._s3.put_object(
                Bucket=self._name, Key=key, Body=body, ChecksumAlgorithm="SHA256", ChecksumSHA256=digest
            )

    def find_fault(self, part: Part) -> str | None:
        """The difference between a file in S3 and its entry in the manifest; None without one."""
        try:
            found = self._s3.head_object(Bucket=self._name, Key=part.key, ChecksumMode="ENABLED")
        except ClientError as error:
            if error.response["Error"]["Code"] in {"404", "NoSuchKey"}:
                return f"{part.key} is missing"
            raise
        digest = base64.b64decode(found.get("ChecksumSHA256", "")).hex()
        if found["ContentLength"] != part.bytes or digest != part.sha256:
            return f"{part.key} is not what was exported"
        return None

    def delete_strays(self, manifest: Manifest) -> None:
        """Delete the day's files that its manifest does not name. A killed run left them; readers would see them.

        Of those that were replaced, the old versions stay.
        """
        known = {part.key for part in manifest.parts}
        replaced = {part.key for part in manifest.replaced}
        for directory in self._list_directories():
            pages = self._s3.get_paginator("list_object_versions").paginate(
                Bucket=self._name, Prefix=f"{directory}date={manifest.date}/"
            )
            for page in pages:
                for version in page.get("Versions", ()):
                    if version["Key"] in replaced and version["IsLatest"]:
                        self._s3.delete_object(Bucket=self._name, Key=version["Key"])
                for found in (*page.get("Versions", ()), *page.get("DeleteMarkers", ())):
                    if found["Key"] not in known | replaced:
                        self._s3.delete_object(Bucket=self._name, Key=found["Key"], VersionId=found["VersionId"])

    def _list_directories(self) -> list[str]:
        if self._table.path_column is None:
            return [self._table.prefix]
        pages = self._s3.get_paginator("list_objects_v2").paginate(
            Bucket=self._name, Prefix=self._table.prefix, Delimiter="/"
        )
        return [found["Prefix"] for page in pages for found in page.get("CommonPrefixes", [])]


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


def _parse_manifest(document: dict[str, Any]) -> Manifest:
    return Manifest(
        date.fromisoformat(document["date"]),
        datetime.fromisoformat(document["recorded_until"]),
        tuple(Part(**_read_times(part) | {"ids": tuple(part["ids"])}) for part in document["parts"]),
        tuple(ReplacedPart(**_read_times(part)) for part in document.get("replaced", ())),
    )


def _read_times(part: dict[str, Any]) -> dict[str, Any]:
    return {name: datetime.fromisoformat(value) if name.endswith("_at") else value for name, value in part.items()}
