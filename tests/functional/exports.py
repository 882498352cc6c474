"""Exported files as the export writes them, and what lies in a bucket."""

import base64
import hashlib
import io
import json
from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any
from uuid import UUID

import pyarrow as pa
import pyarrow.parquet as pq

from lambda_app.log.record import PredictionRecord
from lambda_app.table import Kind
from problem.table import TABLE
from tests.functional.outcomes import Outcome, make_outcome_file

if TYPE_CHECKING:
    from types_boto3_s3 import S3Client

TIME = pa.timestamp("us", tz="UTC")
FEATURES = {Kind.REAL: pa.float64(), Kind.INTEGER: pa.int64(), Kind.CHOICES: pa.int16()}
SCHEMA = pa.schema(
    [
        *(("request_id", pa.string()), ("created_at", TIME), ("recorded_at", TIME), ("prediction", pa.float64())),
        *((f"interval_{name}", pa.float64()) for name in ("lower", "upper", "coverage")),
        *(("latency_ms", pa.float64()), ("batch_id", pa.string()), ("batch_index", pa.int32())),
        *(
            ("caller", pa.string()),
            ("caller_session", pa.string()),
            ("warnings", pa.string()),
            ("subject", pa.string()),
            ("shadow_version", pa.string()),
        ),
        *((f"shadow_{name}", pa.float64()) for name in ("prediction", "lower", "upper", "coverage")),
        ("shadow_ms", pa.float32()),
        *((feature.name, FEATURES[feature.kind]) for feature in TABLE.features),
    ]
)


class Exports:
    """A bucket with versions, and the exported files in it."""

    def __init__(self, s3: "S3Client", bucket: str) -> None:
        self.s3 = s3
        self.bucket = bucket
        s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})

    def put(self, day: str, *files: Sequence[PredictionRecord], recorded_at: datetime | None = None) -> list[str]:
        """Export each list as a file of the day, in row groups of two; return the keys.

        By default they were recorded when they were made.
        """
        keys = [f"predictions/model_version=v1/date={day}/part-{number:04}.parquet" for number in range(len(files))]
        bodies = [encode(records, recorded_at) for records in files]
        parts = [self.describe(*one) for one in zip(keys, bodies, files, strict=True)]
        self._put("predictions", day, bodies, parts)
        return keys

    def put_outcomes(self, day: str, *files: Sequence[Outcome]) -> list[str]:
        """The same with outcomes."""
        keys = [f"outcomes/date={day}/part-{number:04}.parquet" for number in range(len(files))]
        bodies = [make_outcome_file(outcomes) for outcomes in files]
        parts = [self.describe_outcomes(*one) for one in zip(keys, bodies, files, strict=True)]
        self._put("outcomes", day, bodies, parts)
        return keys

    def _put(self, table: str, day: str, bodies: Sequence[bytes], parts: list[dict[str, Any]]) -> None:
        for part, body in zip(parts, bodies, strict=True):
            self.s3.put_object(Bucket=self.bucket, Key=part["key"], Body=body, ChecksumAlgorithm="SHA256")
        manifest = {"date": day, "recorded_until": f"{day}T23:00:00+00:00", "parts": parts}
        self.s3.put_object(Bucket=self.bucket, Key=f"manifests/{table}/{day}.json", Body=json.dumps(manifest))

    def describe(self, key: str, body: bytes, records: Sequence[PredictionRecord]) -> dict[str, Any]:
        """The entry of a file in the manifest."""
        return self._describe(key, body, "v1", [record.request_id for record in records])

    def describe_outcomes(self, key: str, body: bytes, outcomes: Sequence[Outcome]) -> dict[str, Any]:
        """The same of outcomes."""
        return self._describe(key, body, None, [outcome.outcome_id for outcome in outcomes])

    def _describe(self, key: str, body: bytes, version: str | None, ids: Sequence[UUID]) -> dict[str, Any]:
        return {
            "key": key,
            "model_version": version,
            "rows": len(ids),
            "bytes": len(body),
            "sha256": hashlib.sha256(body).hexdigest(),
            "ids": fold(ids),
            "exported_at": "2026-01-01T00:00:00+00:00",
        }

    def read_manifest(self, day: str, table: str = "predictions") -> dict[str, Any]:
        body = self.s3.get_object(Bucket=self.bucket, Key=f"manifests/{table}/{day}.json")["Body"].read()
        manifest: dict[str, Any] = json.loads(body)
        return manifest

    def read_rows(self, key: str) -> list[dict[str, Any]]:
        """The rows of a file, which must be what S3 has a checksum of."""
        body = self.s3.get_object(Bucket=self.bucket, Key=key)["Body"].read()
        found = self.s3.head_object(Bucket=self.bucket, Key=key, ChecksumMode="ENABLED")
        assert found["ChecksumSHA256"] == base64.b64encode(hashlib.sha256(body).digest()).decode()
        rows: list[dict[str, Any]] = pq.read_table(io.BytesIO(body)).to_pylist()
        return rows

    def read_all_versions(self) -> dict[str, list[bytes]]:
        """The content of every version of every object."""
        found: dict[str, list[bytes]] = {}
        for version in self.s3.list_object_versions(Bucket=self.bucket).get("Versions", []):
            content = self.s3.get_object(Bucket=self.bucket, Key=version["Key"], VersionId=version["VersionId"])
            found.setdefault(version["Key"], []).append(content["Body"].read())
        return found

    def list_subjects(self) -> set[str | None]:
        """Those of every version of every file."""
        return set(self._list_values("predictions/", "subject"))

    def list_outcome_ids(self) -> set[str]:
        """Those of every version of every file."""
        return set(self._list_values("outcomes/", "outcome_id"))

    def _list_values(self, prefix: str, column: str) -> list[Any]:
        return [
            row[column]
            for key, contents in self.read_all_versions().items()
            if key.startswith(prefix)
            for content in contents
            for row in pq.read_table(io.BytesIO(content)).to_pylist()
        ]


def encode(records: Sequence[PredictionRecord], recorded_at: datetime | None = None) -> bytes:
    rows = [
        {
            **vars(record),
            **record.features,
            "request_id": str(record.request_id),
            "recorded_at": recorded_at or record.created_at,
            "batch_id": record.batch_id and str(record.batch_id),
            "warnings": json.dumps(list(record.warnings)),
        }
        for record in records
    ]
    body = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(rows, SCHEMA), body, compression="zstd", row_group_size=2)
    return body.getvalue()


def fold(ids: Sequence[UUID]) -> list[int]:
    """The XOR of both halves of some ids, as signed numbers of 64 bits."""
    folded = 0
    for one in ids:
        folded ^= one.int
    content = folded.to_bytes(16)
    return [int.from_bytes(half, signed=True) for half in (content[:8], content[8:])]
