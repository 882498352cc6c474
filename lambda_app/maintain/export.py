"""The export: the rows of each day that is over, as Parquet files with a manifest, compared with the table."""

from collections.abc import Set
from dataclasses import dataclass
from datetime import date, datetime, timedelta

import pg8000.native

from lambda_app.maintain.day_export import DayExport
from lambda_app.maintain.files import RecordsBucket
from lambda_app.maintain.manifest import Manifest, Part
from lambda_app.maintain.tables import ExportedTable
from lambda_app.maintain.tools import MaintenanceTools
from lambda_app.maintain.verification import read_sound_manifest, verify_export
from lambda_app.tasks import TaskFailedError

# A day of ten million rows takes minutes. With less time left, the next run begins with it.
DAY_SECONDS = 400

# The transactions of api and replay last seconds, so rows that were recorded before the cutoff are committed.
_READ_TIMES = """
SELECT
    now() - interval '10 minutes',
    date_trunc('day', now(), 'UTC'),
    (SELECT max(recorded_until) FROM exports WHERE table_name = :name)
"""
# What was recorded since the last run, and an hour earlier, for clocks that differ around midnight; what was made since
# then by a clock that was ahead; and the days that a fault stopped.
_LIST_DAYS = """
SELECT CAST({time} AT TIME ZONE 'UTC' AS date) FROM {table}
WHERE {time} < :today AND recorded_at <= :cutoff AND (
    recorded_at > coalesce(CAST(:since AS timestamptz) - interval '1 hour', '-infinity')
    OR {time} >= date_trunc('day', CAST(:since AS timestamptz), 'UTC')
)
UNION
SELECT day FROM stopped_days WHERE table_name = :name
ORDER BY 1
"""
_RESUME_DAYS = "DELETE FROM stopped_days WHERE table_name = :name AND day = ANY(CAST(:days AS date[]))"
_STOP_DAYS = """
INSERT INTO stopped_days (table_name, day) SELECT :name, unnest(CAST(:days AS date[])) ON CONFLICT DO NOTHING
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


def export_days(tools: MaintenanceTools, table: ExportedTable) -> Exported:
    """Export what was recorded since the last run; TaskFailedError at the end names the days that a fault stopped.

    These are tried again by each run. A run that is killed leaves days whose manifests lack their last files; the next
    one completes them.
    """
    times = read_times(tools, table)
    days = _list_days(tools, table, times)
    counts: dict[date, int] = {}
    faults: dict[date, str] = {}
    for day in days:
        if tools.seconds_left() < DAY_SECONDS:
            break
        try:
            counts[day], manifest = export_day(tools, table, day, times.cutoff)
            fault = verify_export(tools, table, manifest, times.cutoff)
        except TaskFailedError as error:
            fault = str(error)
        if fault:
            faults[day] = fault
    tried = counts.keys() | faults.keys()
    exported = Exported(sum(count > 0 for count in counts.values()), sum(counts.values()), len(tried) == len(days))
    if exported.is_complete:
        _note_run(tools, table, times, exported, tried - faults.keys(), faults.keys())
    if faults:
        raise TaskFailedError("; ".join(faults.values()))
    return exported


def _note_run(
    tools: MaintenanceTools,
    table: ExportedTable,
    times: "Times",
    exported: Exported,
    done: Set[date],
    stopped: Set[date],
) -> None:
    values = {"until": times.exportable_until, "days": exported.days, "rows": exported.rows}

    def note(connection: pg8000.native.Connection) -> None:
        connection.run(_RESUME_DAYS, name=table.name, days=[str(day) for day in done])
        connection.run(_STOP_DAYS, name=table.name, days=[str(day) for day in stopped])
        connection.run(_INSERT_EXPORT, name=table.name, **values)

    tools.database.run_transaction(note)


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


def read_times(tools: MaintenanceTools, table: ExportedTable) -> Times:
    """The database's times."""
    [times] = tools.select(_READ_TIMES, name=table.name)
    return Times(*times)


def export_day(tools: MaintenanceTools, table: ExportedTable, day: date, cutoff: datetime) -> tuple[int, Manifest]:
    """Add files with the rows that the day's manifest does not have yet; returns their number, and the manifest."""
    bucket = RecordsBucket(tools.s3, tools.settings.records_bucket, table)
    manifest = read_sound_manifest(tools, table, day)
    bucket.delete_strays(manifest, manifest.parts)
    since = manifest.recorded_until.isoformat() if manifest.recorded_until else "-infinity"
    parts = write_parts(tools, table, manifest, since, cutoff)
    if not parts:
        return 0, manifest
    manifest = manifest.add(cutoff, parts)
    bucket.write_manifest(manifest)
    return sum(part.rows for part in parts), manifest


def write_parts(
    tools: MaintenanceTools, table: ExportedTable, manifest: Manifest, since: str, until: datetime
) -> list[Part]:
    """Store files of the rows that were recorded between two times. They count when the manifest names them."""
    bucket = RecordsBucket(tools.s3, tools.settings.records_bucket, table)
    parts = tools.database.run_transaction(
        lambda connection: DayExport(connection, bucket, table, manifest, since, until).write_files()
    )
    for part in parts:
        if fault := bucket.find_fault(part):
            raise TaskFailedError(fault)
    return parts


def _list_days(tools: MaintenanceTools, table: ExportedTable, times: Times) -> list[date]:
    statement = _LIST_DAYS.format(time=table.time_column, table=table.name)
    values = {"since": times.exported_until, "cutoff": times.cutoff, "today": times.today}
    rows = tools.select(statement, name=table.name, **values)
    return [day for [day] in rows]
