"""The task `export_again`: replaces the export of a day that differs from the table, and keeps what it replaces."""

import dataclasses
from collections.abc import Mapping
from typing import Any

from lambda_app.maintain.export import read_times, write_parts
from lambda_app.maintain.files import RecordsBucket
from lambda_app.maintain.lease import working_alone
from lambda_app.maintain.manifest import ReplacedPart
from lambda_app.maintain.parameters import read_day, read_text
from lambda_app.maintain.tables import TABLES
from lambda_app.maintain.tools import MaintenanceTools
from lambda_app.maintain.verification import find_removal, list_current_parts, read_sound_manifest, verify_export
from lambda_app.tasks import TaskError, TaskFailedError


def export_again(tools: MaintenanceTools, event: Mapping[str, Any]) -> dict[str, Any]:
    """Export all rows that `table` has of `day` as further files, in place of its present ones.

    The manifest goes on naming those, with who replaced them, and S3 keeps them as old versions for as long as it keeps
    any. Files of rows that are no longer in the table by the retention stay as they are.
    """
    table, day, by = TABLES.get(read_text(event, "table", 20)), read_day(event, "day"), read_text(event, "by", 2048)
    if table is None:
        raise TaskError(f"table must be one of {', '.join(TABLES)}")
    with working_alone(tools):
        times = read_times(tools, table)
        if day >= times.today:
            raise TaskError("day must be over")
        bucket = RecordsBucket(tools.s3, tools.settings.records_bucket, table)
        old = read_sound_manifest(tools, table, day.date())
        _, since = tools.database.run_statement(lambda connection: find_removal(connection, table, old.date))
        gone = tools.database.run_transaction(lambda connection: list_current_parts(connection, table, old))
        # The rows of the others are in the table.
        bucket.delete_strays(old, [part for part in old.parts if part not in gone])
        parts = write_parts(tools, table, old, since, times.cutoff)
        replaced = [ReplacedPart(part.key, part.rows, part.sha256, part.exported_at, times.cutoff, by) for part in gone]
        new = dataclasses.replace(
            old,
            recorded_until=times.cutoff,
            parts=(*(part for part in old.parts if part not in gone), *parts),
            replaced=(*old.replaced, *replaced),
        )
        bucket.write_manifest(new)
        bucket.delete_strays(new, new.parts)
        if fault := verify_export(tools, table, new, times.cutoff, again=True):
            raise TaskFailedError(fault)
    return {
        "rows": sum(part.rows for part in parts),
        "replaced_rows": sum(part.rows for part in gone),
        "replaced_files": len(gone),
    }
