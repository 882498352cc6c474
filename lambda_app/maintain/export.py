"""The export: the rows of each day that is over, as Parquet files with a manifest, compared with the table."""

from dataclasses import dataclass
from datetime import date, datetime, timedelta

from lambda_app.maintain.day_export import DayExport
from lambda_app.maintain.files import Manifest, Part, RecordsBucket
from lambda_app.maintain.tables import ExportedTable
from lambda_app.maintain.tools import MaintenanceError, Tools
from lambda_app.maintain.verification import verify_export

# A day of ten million rows takes minutes. With less time left, the next run begins with it.
DAY_SECONDS = 400

# The transactions of api and replay last seconds, so rows that were recorded before the cutoff are committed.
_READ_TIMES = """
SELECT
    now() - interval '10 minutes',
    date_trunc('day', now(), 'UTC'),
    (SELECT max(recorded_until) FROM exports WHERE table_name = :name)
"""
# An hour earlier, for clocks that differ around midnight.
_LIST_DAYS = """
SELECT DISTINCT CAST({time} AT TIME ZONE 'UTC' AS date) FROM {table}
WHERE recorded_at > coalesce(CAST(:since AS timestamptz) - interval '1 hour', '-infinity') AND recorded_at <= :cutoff
    AND {time} < :today
ORDER BY 1
"""
_INSERT_EXPORT = """
INSERT INTO exports (table_name, recorded_until, days, exported_rows) VALUES (:name, :until, :days, :rows)
"""


@dataclass(frozen=True)
class Exported:
    """The result of a run of the export. `is_complete` says whether the time was enough for all days."""

    days: int
    rows: int
    is_complete: bool


def export_days(tools: Tools, table: ExportedTable) -> Exported:
    """Export what was recorded since the last run; MaintenanceError where an export is not what the table has.

    A run that is killed leaves days whose manifests lack their last files; the next one completes them.
    """
    times = read_times(tools, table)
    days = _list_days(tools, table, times)
    counts: dict[date, int] = {}
    faults = []
    for day in days:
        if tools.seconds_left() < DAY_SECONDS:
            break
        counts[day], manifest = export_day(tools, table, day, times.cutoff)
        if fault := verify_export(tools, table, manifest, times.cutoff):
            faults.append(fault)
    if faults:
        raise MaintenanceError("; ".join(faults))
    exported = Exported(sum(count > 0 for count in counts.values()), sum(counts.values()), len(counts) == len(days))
    if exported.is_complete:
        values = {"until": times.exportable_until, "days": exported.days, "rows": exported.rows}
        tools.database.run_statement(lambda connection: connection.run(_INSERT_EXPORT, name=table.name, **values))
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


def read_times(tools: Tools, table: ExportedTable) -> Times:
    """The database's times."""
    [times] = tools.select(_READ_TIMES, name=table.name)
    return Times(*times)


def export_day(tools: Tools, table: ExportedTable, day: date, cutoff: datetime) -> tuple[int, Manifest]:
    """Add files with the rows that the day's manifest does not have yet; returns their number, and the manifest."""
    bucket = RecordsBucket(tools.s3, tools.settings.records_bucket, table)
    manifest = bucket.read_manifest(day)
    bucket.delete_strays(manifest)
    since = manifest.recorded_until.isoformat() if manifest.recorded_until else "-infinity"
    parts = write_parts(tools, table, manifest, since, cutoff)
    if not parts:
        return 0, manifest
    manifest = manifest.add(cutoff, parts)
    bucket.write_manifest(manifest)
    return sum(part.rows for part in parts), manifest


def write_parts(tools: Tools, table: ExportedTable, manifest: Manifest, since: str, until: datetime) -> list[Part]:
    """Store files of the rows that were recorded between two times. They count when the manifest names them."""
    bucket = RecordsBucket(tools.s3, tools.settings.records_bucket, table)
    parts = tools.database.run_transaction(
        lambda connection: DayExport(connection, bucket, table, manifest, since, until).write_files()
    )
    for part in parts:
        if fault := bucket.find_fault(part):
            raise MaintenanceError(fault)
    return parts


def _list_days(tools: Tools, table: ExportedTable, times: Times) -> list[date]:
    statement = _LIST_DAYS.format(time=table.time_column, table=table.name)
    rows = tools.select(statement, since=times.exported_until, cutoff=times.cutoff, today=times.today)
    return [day for [day] in rows]
