"""The bucket of records: Parquet files in Hive's layout, and for each day a manifest, the truth about its files."""

import base64
from collections.abc import Collection, Iterator
from datetime import date
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from lambda_app.maintain.manifest import Manifest, Part, manifest_key, parse_manifest
from lambda_app.maintain.parquet import ParquetFile
from lambda_app.maintain.tables import ExportedTable
from lambda_app.tasks import TaskFailedError

if TYPE_CHECKING:
    from types_boto3_s3 import S3Client
    from types_boto3_s3.type_defs import ListObjectVersionsOutputTypeDef


class RecordsBucket:
    """The files and manifests of a table in S3."""

    def __init__(self, s3: "S3Client", name: str, table: ExportedTable) -> None:
        self._s3 = s3
        self._name = name
        self._table = table

    def read_manifest(self, day: date) -> Manifest:
        """Return the day's, an empty one where S3 has none; TaskFailedError if it is not one of that day."""
        try:
            body = self._s3.get_object(Bucket=self._name, Key=manifest_key(self._table, day))["Body"].read()
        except ClientError as error:
            if error.response["Error"]["Code"] == "NoSuchKey":
                return Manifest(day, None)
            raise
        return parse_manifest(body, self._table, day)

    def write_manifest(self, manifest: Manifest) -> None:
        """Replace the day's. From here on its files count."""
        self._s3.put_object(
            Bucket=self._name,
            Key=manifest_key(self._table, manifest.date),
            Body=manifest.encode(),
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

    def has_files(self, day: date) -> bool:
        """Return True if there is a file of a day, or an old version of one."""
        return any(page.get("Versions") for page in self._list_versions(day))

    def delete_strays(self, manifest: Manifest, needed: Collection[Part]) -> None:
        """Delete the day's files that its manifest does not name. A killed run left them; readers would see them.

        Of those that were replaced, the old versions stay. TaskFailedError if one of the `needed` files is not there:
        perhaps its rows are in another one.
        """
        pages = list(self._list_versions(manifest.date))
        versions = [version for page in pages for version in page.get("Versions", ())]
        sizes = {version["Key"]: version["Size"] for version in versions if version["IsLatest"]}
        for part in needed:
            if sizes.get(part.key) != part.bytes:
                raise TaskFailedError(f"{part.key} is missing or not what was exported")
        known = {part.key for part in manifest.parts}
        replaced = {part.key for part in manifest.replaced}
        for key in sizes.keys() & replaced:
            self._s3.delete_object(Bucket=self._name, Key=key)
        markers = [marker for page in pages for marker in page.get("DeleteMarkers", ())]
        for found in (*versions, *markers):
            if found["Key"] not in known | replaced:
                self._s3.delete_object(Bucket=self._name, Key=found["Key"], VersionId=found["VersionId"])

    def _list_versions(self, day: date) -> "Iterator[ListObjectVersionsOutputTypeDef]":
        for directory in self._list_directories():
            yield from self._s3.get_paginator("list_object_versions").paginate(
                Bucket=self._name, Prefix=f"{directory}date={day}/"
            )

    def _list_directories(self) -> list[str]:
        if self._table.path_column is None:
            return [self._table.prefix]
        pages = self._s3.get_paginator("list_objects_v2").paginate(
            Bucket=self._name, Prefix=self._table.prefix, Delimiter="/"
        )
        return [found["Prefix"] for page in pages for found in page.get("CommonPrefixes", [])]
