"""A database and a bucket of records of a test's own, and the function maintain before them."""

import dataclasses
import io
import json
from collections.abc import Iterable
from datetime import UTC, date, datetime, time, timedelta
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pg8000.native
import pyarrow as pa
import pyarrow.parquet

from lambda_app.log.database import Database
from lambda_app.log.migrations import apply_migrations
from lambda_app.log.record import PredictionRecord
from lambda_app.log.store import insert_predictions
from lambda_app.settings import Settings
from lambda_app.telemetry import LambdaHandler
from local.records import make_record
from tests.conftest import connect_database
from tests.events import Context
from tests.functional.helpers import Wire
from tests.functional.outcomes import Outcome, insert_outcomes

if TYPE_CHECKING:
    from types_boto3_s3 import S3Client

RETENTION_MONTHS = 3
TODAY = datetime.now(UTC).date()
YESTERDAY = TODAY - timedelta(days=1)


def find_month(ago: int) -> date:
    """The first day of the month so many months ago."""
    months = TODAY.year * 12 + TODAY.month - 1 - ago
    return date(months // 12, months % 12 + 1, 1)


# The newest month that the retention no longer keeps, and the oldest that it keeps.
OLD, KEPT = find_month(RETENTION_MONTHS + 1), find_month(RETENTION_MONTHS)


def name_partition(month: date) -> str:
    return f"predictions_{month:%Y_%m}"


def make_records(day: date, count: int, **changed: Any) -> list[PredictionRecord]:
    """Records of one second each, from noon on."""
    noon = datetime.combine(day, time(12), UTC)
    return [make_record(created_at=noon + timedelta(seconds=n), **changed) for n in range(count)]


class Stage:
    """The database and the bucket, for the tests to ask and change. `connection` is the superuser's."""

    def __init__(self, settings: Settings, s3: "S3Client", bucket: str, wire: Wire) -> None:
        self.settings = settings
        self.s3 = s3
        self.bucket = bucket
        self._wire = wire
        self.connection = connect_database(settings)

    def wire(self, **changed: str) -> LambdaHandler:
        """A new execution environment of maintain."""
        own = {"DATABASE_NAME": self.settings.database_name, "RECORDS_BUCKET": self.bucket}
        return self._wire("maintain", **{**own, "RETENTION_MONTHS": str(RETENTION_MONTHS), **changed})

    def run(self, **changed: str) -> dict[str, Any]:
        """The answer of a daily run."""
        answer: dict[str, Any] = self.wire(**changed)({"task": "daily"}, Context())
        return answer

    def ask(self, task: str, **event: Any) -> dict[str, Any]:
        """The answer of another task."""
        answer: dict[str, Any] = self.wire()({"task": task, **event}, Context())
        return answer

    def query(self, statement: str, **parameters: Any) -> list[Any]:
        rows: list[Any] = self.connection.run(statement, **parameters)
        return rows

    def insert(self, records: Iterable[PredictionRecord], *, recorded_at: datetime | None = None) -> None:
        """Store records, by default as if they had been recorded when they were made."""
        records = list(records)
        self.connection.run("BEGIN")
        insert_predictions(self.connection, records)
        self.connection.run(
            "UPDATE predictions SET recorded_at = coalesce(CAST(:at AS timestamptz), created_at)"
            " WHERE request_id = ANY (:ids)",
            at=recorded_at,
            ids=[record.request_id for record in records],
        )
        self.connection.run("COMMIT")

    def insert_late(self, records: Iterable[PredictionRecord]) -> None:
        """Store records as if they had been replayed just after the last export."""
        [[until]] = self.query("SELECT max(recorded_until) FROM verified_days")
        self.insert(records, recorded_at=until + timedelta(microseconds=1))

    def insert_outcomes(self, *outcomes: Outcome) -> None:
        """Store them as if they had been recorded when they were reported."""
        for outcome in outcomes:
            insert_outcomes(self.query, outcome, recorded_at=outcome.reported_at)

    def count_rows(self) -> int:
        [[count]] = self.query("SELECT count(*) FROM predictions")
        return int(count)

    def list_partitions(self) -> list[str]:
        rows = self.query(
            "SELECT relname FROM pg_inherits JOIN pg_class ON pg_class.oid = inhrelid"
            " WHERE inhparent = CAST('predictions' AS regclass) ORDER BY 1"
        )
        return [name for [name] in rows]

    def has_table(self, month: date) -> bool:
        [[found]] = self.query("SELECT to_regclass(:name) IS NOT NULL", name=name_partition(month))
        return bool(found)

    def list_versions(self) -> dict[str, list[str]]:
        """The versions of each object, delete markers too."""
        answer = self.s3.list_object_versions(Bucket=self.bucket)
        versions: dict[str, list[str]] = {}
        for found in (*answer.get("Versions", []), *answer.get("DeleteMarkers", [])):
            versions.setdefault(found["Key"], []).append(found["VersionId"])
        return versions

    def list_files(self, table: str = "predictions") -> list[str]:
        found = self.s3.list_objects_v2(Bucket=self.bucket, Prefix=f"{table}/").get("Contents", [])
        return [entry["Key"] for entry in found]

    def read(self, key: str) -> bytes:
        return self.s3.get_object(Bucket=self.bucket, Key=key)["Body"].read()

    def read_manifest(self, day: date, table: str = "predictions") -> dict[str, Any]:
        document: dict[str, Any] = json.loads(self.read(f"manifests/{table}/{day}.json"))
        return document

    def read_parquet(self, key: str) -> pa.Table:
        return pyarrow.parquet.read_table(io.BytesIO(self.read(key)))

    def read_exported_ids(self, table: str = "predictions") -> list[str]:
        """The ids in all files, in their order."""
        name = "request_id" if table == "predictions" else "outcome_id"
        return sorted(id_ for key in self.list_files(table) for id_ in self.read_parquet(key)[name].to_pylist())

    def close(self) -> None:
        self.connection.close()


def create_stage(admin_settings: Settings, s3: "S3Client", bucket: str, wire: Wire) -> Stage:
    """A stage with a new database in the run's server, and versions in the bucket."""
    settings = dataclasses.replace(admin_settings, database_name=f"records_{uuid4().hex}")
    server = connect_database(admin_settings)
    server.run(f"CREATE DATABASE {pg8000.native.identifier(settings.database_name)}")
    server.close()
    database = Database(settings, wait_seconds=30)
    database.run_transaction(apply_migrations)
    database.close()
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    return Stage(settings, s3, bucket, wire)
