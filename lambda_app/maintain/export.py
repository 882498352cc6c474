"""The export: the rows of each day that is over, as Parquet files with a manifest, compared with the table."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

import pg8000.native
from botocore.exceptions import BotoCoreError, ClientError

from lambda_app.maintain.files import Manifest, Part, RecordsBucket, fold_parts, part_key
from lambda_app.maintain.parquet import FileWriter, ParquetFile, make_schema
from lambda_app.maintain.partitions import find_last_detaching, find_verification, verify_day
from lambda_app.maintain.tools import MaintenanceError, Tools, describe_failure

# A day of ten million rows takes minutes. With less time left, the next run begins with it.
DAY_SECONDS = 400
# Of the path of a file, not of its rows.
_PATH_COLUMN = "model_version"

# The transactions of api and replay last seconds, so rows that were recorded before the cutoff are committed.
_READ_TIMES = """
SELECT
    now() - interval '10 minutes',
    date_trunc('day', now(), 'UTC'),
    (SELECT max(recorded_until) FROM exports)
"""
# An hour earlier, for clocks that differ around midnight.
_LIST_DAYS = """
SELECT DISTINCT CAST(created_at AT TIME ZONE 'UTC' AS date) FROM predictions
WHERE recorded_at > coalesce(CAST(:since AS timestamptz) - interval '1 hour', '-infinity') AND recorded_at <= :cutoff
    AND created_at < :today
ORDER BY 1
"""
_LIST_COLUMNS = """
SELECT attname, format_type(atttypid, atttypmod) FROM pg_attribute
WHERE attrelid = CAST('predictions' AS regclass) AND attnum > 0 AND NOT attisdropped
ORDER BY attnum
"""
_LIST_VERSIONS = "SELECT DISTINCT model_version FROM predictions WHERE {day} ORDER BY 1"
_COPY = "COPY (SELECT {columns} FROM predictions WHERE {day} AND model_version = {version}) TO STDOUT (FORMAT csv)"
# As text, because COPY takes no parameters.
_DAY = "created_at >= {first} AND created_at < {next} AND recorded_at > {since} AND recorded_at <= {until}"
_INSERT_EXPORT = "INSERT INTO exports (recorded_until, days, exported_rows) VALUES (:until, :days, :rows)"


@dataclass(frozen=True)
class Exported:
    """The result of a run of the export. `is_complete` says whether the time was enough for all days."""

    days: int
    rows: int
    is_complete: bool


def export_days(tools: Tools) -> Exported:
    """Export what was recorded since the last run; MaintenanceError where an export is not what the table has.

    A run that is killed leaves days whose manifests lack their last files; the next one completes them.
    """
    times = read_times(tools)
    days = _list_days(tools, times)
    counts: dict[date, int] = {}
    faults = []
    for day in days:
        if tools.seconds_left() < DAY_SECONDS:
            break
        counts[day] = export_day(tools, day, times.cutoff)
        if fault := verify_export(tools, day, times.cutoff):
            faults.append(fault)
    if faults:
        raise MaintenanceError("; ".join(faults))
    exported = Exported(sum(count > 0 for count in counts.values()), sum(counts.values()), len(counts) == len(days))
    if exported.is_complete:
        tools.database.run_statement(
            lambda connection: connection.run(
                _INSERT_EXPORT, until=times.exportable_until, days=exported.days, rows=exported.rows
            )
        )
    return exported


@dataclass(frozen=True)
class Times:
    """Until `cutoff` all rows are committed; until `exported_until` a run of the export has read them, if ever."""

    cutoff: datetime
    today: datetime
    exported_until: datetime | None

    @property
    def exportable_until(self) -> datetime:
        # Today's rows are exported tomorrow.
        return min(self.cutoff, self.today)

    @property
    def is_exported(self) -> bool:
        """Return True if the export has come to its end a short time ago."""
        return self.exported_until is not None and self.exported_until > self.exportable_until - timedelta(hours=1)


def read_times(tools: Tools) -> Times:
    """The database's times."""
    [times] = tools.database.run_statement(lambda connection: connection.run(_READ_TIMES))
    return Times(*times)


def export_day(tools: Tools, day: date, cutoff: datetime) -> int:
    """Add files with the rows that the day's manifest does not have yet; returns their number."""
    bucket = RecordsBucket(tools.s3, tools.settings.records_bucket)
    manifest = bucket.read_manifest(day)
    bucket.delete_strays(manifest)
    parts = tools.database.run_transaction(
        lambda connection: _DayExport(connection, bucket, manifest, cutoff).write_files()
    )
    if not parts:
        return 0
    for part in parts:
        if fault := bucket.find_fault(part):
            raise MaintenanceError(fault)
    bucket.write_manifest(manifest.add(cutoff, parts))
    return sum(part.rows for part in parts)


def verify_export(tools: Tools, day: date, cutoff: datetime, *, again: bool = False) -> str | None:
    """Compare the day's manifest with the table, unless that was done; returns the difference, if any.

    With `again` also if it was done: a transaction that took longer than the cutoff allows shows only then.
    """
    manifest = RecordsBucket(tools.s3, tools.settings.records_bucket).read_manifest(day)
    until = manifest.recorded_until or cutoff

    def compare(connection: pg8000.native.Connection) -> str | None:
        if not again and find_verification(connection, day) == until:
            return None
        rows, ids = fold_parts(list_current_parts(connection, manifest))
        found, is_same = verify_day(connection, day, until, rows, ids)
        return None if is_same else f"{day} has {found} rows, and its export {rows} or other ones"

    return tools.database.run_transaction(compare)


def list_current_parts(connection: pg8000.native.Connection, manifest: Manifest) -> list[Part]:
    """The files whose rows are in the table: not those from before its month was dropped."""
    detached_at = find_last_detaching(connection, manifest.date.replace(day=1))
    return [part for part in manifest.parts if detached_at is None or part.exported_at > detached_at]


def _list_days(tools: Tools, times: Times) -> list[date]:
    rows = tools.database.run_statement(
        lambda connection: connection.run(
            _LIST_DAYS, since=times.exported_until, cutoff=times.cutoff, today=times.today
        )
    )
    return [day for [day] in rows]


class _DayExport:
    """Writes the rows of a day that were recorded after its manifest, for each model version by itself."""

    def __init__(
        self, connection: pg8000.native.Connection, bucket: RecordsBucket, manifest: Manifest, cutoff: datetime
    ) -> None:
        self._connection = connection
        self._bucket = bucket
        self._manifest = manifest
        self._parts: list[Part] = []
        times = {
            "first": f"{manifest.date}T00:00Z",
            "next": f"{manifest.date + timedelta(days=1)}T00:00Z",
            "since": manifest.recorded_until.isoformat() if manifest.recorded_until else "-infinity",
            "until": cutoff.isoformat(),
        }
        self._day = _DAY.format(**{name: pg8000.native.literal(time) for name, time in times.items()})

    def write_files(self) -> list[Part]:
        """Store the files; they count when the manifest names them."""
        [[now]] = self._connection.run("SELECT now()")
        columns: dict[str, str] = dict(self._connection.run(_LIST_COLUMNS))
        del columns[_PATH_COLUMN]
        for [version] in self._connection.run(_LIST_VERSIONS.format(day=self._day)):
            self._write_version(version, columns, now)
        return self._parts

    def _write_version(self, version: str, columns: Mapping[str, str], now: datetime) -> None:
        number = self._manifest.find_free_number(version)

        def upload(file: ParquetFile) -> None:
            nonlocal number
            key = part_key(version, self._manifest.date, number)
            try:
                self._bucket.upload(file, key)
            except (BotoCoreError, ClientError) as error:
                # Not a failure of the database, within whose statement it happens.
                raise MaintenanceError(describe_failure(error)) from error
            self._parts.append(Part(key, version, file.rows, file.bytes, file.sha256, file.ids, now))
            number += 1

        statement = _COPY.format(
            columns=_join_names(list(columns)), day=self._day, version=pg8000.native.literal(version)
        )
        with FileWriter(make_schema(columns), upload) as writer:
            self._connection.run(statement, stream=writer)


def _join_names(names: Sequence[str]) -> str:
    return ", ".join(pg8000.native.identifier(name) for name in names)
