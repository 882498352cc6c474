"""The comparison of a day's rows with its export, by their number and the XOR of their ids.

What was verified tells later whether a manifest can be that of the day. On this rests that a file may be deleted.
"""

from datetime import date, datetime

import pg8000.native

from lambda_app.maintain.files import RecordsBucket
from lambda_app.maintain.manifest import Manifest, Part, fold_parts, manifest_key
from lambda_app.maintain.tables import ExportedTable
from lambda_app.maintain.tools import MaintenanceTools
from lambda_app.tasks import TaskFailedError


def read_sound_manifest(tools: MaintenanceTools, table: ExportedTable, day: date) -> Manifest:
    """Return a day's manifest; TaskFailedError names it if it contradicts what was verified.

    Where there is none, no rows of the day have left the table.
    """
    bucket = RecordsBucket(tools.s3, tools.settings.records_bucket, table)
    manifest = bucket.read_manifest(day)
    [[now, verified_until, has_export]] = tools.select(table.find_verification, day=day)
    key = manifest_key(table, day)
    if manifest.recorded_until is None:
        if has_export and bucket.has_files(day):
            raise TaskFailedError(f"{key} is missing, and there are files of the day")
    elif manifest.recorded_until > now:
        raise TaskFailedError(f"{key} has a recorded_until in the future")
    elif verified_until is not None and manifest.recorded_until < verified_until:
        raise TaskFailedError(f"{key} is older than what was verified")
    return manifest


def verify_export(
    tools: MaintenanceTools, table: ExportedTable, manifest: Manifest, cutoff: datetime, *, again: bool = False
) -> str | None:
    """Compare a day's manifest with the table, unless that was done; returns the difference, if any.

    With `again` also if it was done: a transaction that took longer than the cutoff allows shows only then.
    """
    day = manifest.date
    until = manifest.recorded_until or cutoff

    def compare(connection: pg8000.native.Connection) -> str | None:
        [[_, verified_until, _]] = connection.run(table.find_verification, day=day) or []
        if not again and verified_until == until:
            return None
        rows, ids = fold_parts(list_current_parts(connection, table, manifest))
        [[found, is_same]] = connection.run(table.verify, day=day, until=until, rows=rows, ids=ids) or []
        return (
            None if is_same else f"{table.name} of {day}: the table has {found} rows, the export {rows} or other ones"
        )

    return tools.database.run_transaction(compare)


def list_current_parts(connection: pg8000.native.Connection, table: ExportedTable, manifest: Manifest) -> list[Part]:
    """The files whose rows are in the table: not those from before its rows were deleted by the retention."""
    removed_at, _ = find_removal(connection, table, manifest.date)
    return [part for part in manifest.parts if removed_at is None or part.exported_at > removed_at]


def find_removal(connection: pg8000.native.Connection, table: ExportedTable, day: date) -> tuple[datetime | None, str]:
    """When rows of the day were last deleted by the retention, and until when (in SQL) those had been recorded."""
    [[removed_at, recorded_until]] = connection.run(table.find_removal, day=day) or []
    return removed_at, recorded_until
