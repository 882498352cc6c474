"""The bucket of records: Parquet files in Hive's layout, and for each day a manifest, the truth about its files."""

import base64
import json
from dataclasses import asdict, dataclass, replace
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from botocore.exceptions import ClientError

from lambda_app.maintain.parquet import ParquetFile

if TYPE_CHECKING:
    from types_boto3_s3 import S3Client

FILES = "predictions/"
MANIFESTS = "manifests/predictions/"


@dataclass(frozen=True)
class Part:
    """A file of a day. `ids` is the XOR of each half of its request ids; `exported_at` is the database's time."""

    key: str
    model_version: str
    rows: int
    bytes: int
    sha256: str
    ids: tuple[int, int]
    exported_at: datetime


@dataclass(frozen=True)
class Manifest:
    """The files of a day, with its rows that were recorded until `recorded_until`."""

    date: date
    recorded_until: datetime | None
    parts: tuple[Part, ...] = ()

    def add(self, recorded_until: datetime, parts: list[Part]) -> "Manifest":
        """Return it with further files."""
        return replace(self, recorded_until=recorded_until, parts=(*self.parts, *parts))

    def find_free_number(self, model_version: str) -> int:
        """The number after that of the last file of a model version."""
        keys = [part.key for part in self.parts if part.model_version == model_version]
        return max((int(key[-12:-8]) + 1 for key in keys), default=0)


class RecordsBucket:
    """The files and manifests in S3."""

    def __init__(self, s3: "S3Client", name: str) -> None:
        self._s3 = s3
        self._name = name

    def read_manifest(self, day: date) -> Manifest:
        """The day's; an empty one before the first export."""
        try:
            body = self._s3.get_object(Bucket=self._name, Key=manifest_key(day))["Body"].read()
        except ClientError as error:
            if error.response["Error"]["Code"] == "NoSuchKey":
                return Manifest(day, None)
            raise
        return _parse_manifest(json.loads(body))

    def read_manifests(self, month: date) -> list[Manifest]:
        """Those of the days of a month, in their order."""
        days = [month + timedelta(days=n) for n in range(31)]
        manifests = [self.read_manifest(day) for day in days if day.month == month.month]
        return [manifest for manifest in manifests if manifest.parts]

    def write_manifest(self, manifest: Manifest) -> None:
        """Replace the day's. From here on its files count."""
        body = json.dumps(asdict(manifest), indent=1, default=lambda value: value.isoformat()).encode()
        self._s3.put_object(
            Bucket=self._name,
            Key=manifest_key(manifest.date),
            Body=body,
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
        """Delete the day's files that its manifest does not name. A killed run left them; readers would see them."""
        known = {part.key for part in manifest.parts}
        for prefix in self._list_model_prefixes():
            pages = self._s3.get_paginator("list_object_versions").paginate(
                Bucket=self._name, Prefix=f"{prefix}date={manifest.date}/"
            )
            for page in pages:
                for found in (*page.get("Versions", ()), *page.get("DeleteMarkers", ())):
                    if found["Key"] not in known:
                        self._s3.delete_object(Bucket=self._name, Key=found["Key"], VersionId=found["VersionId"])

    def _list_model_prefixes(self) -> list[str]:
        pages = self._s3.get_paginator("list_objects_v2").paginate(Bucket=self._name, Prefix=FILES, Delimiter="/")
        return [found["Prefix"] for page in pages for found in page.get("CommonPrefixes", [])]


def manifest_key(day: date) -> str:
    """The key of a day's manifest."""
    return f"{MANIFESTS}{day}.json"


def part_key(model_version: str, day: date, number: int) -> str:
    """The key of a file of a day."""
    return f"{FILES}model_version={quote(model_version, safe='')}/date={day}/part-{number:04}.parquet"


def fold_parts(parts: list[Part]) -> tuple[int, list[int]]:
    """The rows of some files, and the XOR of each half of their ids."""
    first = second = 0
    for part in parts:
        first, second = first ^ part.ids[0], second ^ part.ids[1]
    return sum(part.rows for part in parts), [first, second]


def _parse_manifest(document: dict[str, Any]) -> Manifest:
    parts = [
        Part(**{**part, "ids": tuple(part["ids"]), "exported_at": datetime.fromisoformat(part["exported_at"])})
        for part in document["parts"]
    ]
    return Manifest(
        date.fromisoformat(document["date"]), datetime.fromisoformat(document["recorded_until"]), tuple(parts)
    )
