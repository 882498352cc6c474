"""The state of the records: how many and how large, since when, until when the disk lasts, exports, holds, erasures."""

import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from lambda_app.maintain.tools import MaintenanceTools

# Counting takes minutes where there are many rows. These numbers are PostgreSQL's own estimates.
_PARTITIONS = """
SELECT relname, greatest(reltuples::bigint, pg_stat_get_live_tuples(child.oid), 0), pg_total_relation_size(child.oid)
FROM pg_inherits
JOIN pg_class AS child ON child.oid = inhrelid
WHERE inhparent = CAST('predictions' AS regclass)
ORDER BY relname
"""
# No index has the order of created_at, but rows stand nearly in the order of recorded_at, and its index finds the hours
# that can hold the newest and the oldest row of a month.
_NEWEST = """
SELECT found FROM unnest(ARRAY['1 hour', '1 day', '1 month', '1000 years']::interval[]) AS back
CROSS JOIN LATERAL (SELECT max(created_at) AS found FROM predictions WHERE recorded_at > now() - back) AS newest
WHERE found IS NOT NULL
ORDER BY back
LIMIT 1
"""
_OLDEST = """
SELECT min(created_at) FROM predictions
WHERE created_at >= :first_time AND created_at < CAST(:first_time AS timestamptz) + interval '1 month'
    AND recorded_at <= (
        SELECT recorded_at + interval '1 hour' FROM predictions
        WHERE created_at >= :first_time AND created_at < CAST(:first_time AS timestamptz) + interval '1 month'
        LIMIT 1
    )
"""
_LAST_DAY = "SELECT count(*) FROM {table} WHERE recorded_at > now() - interval '1 day'"
_OUTCOMES = """
SELECT greatest(reltuples::bigint, pg_stat_get_live_tuples(oid), 0), pg_total_relation_size(oid)
FROM pg_class WHERE oid = CAST('outcomes' AS regclass)
"""
_DATABASE_BYTES = "SELECT pg_database_size(current_database())"
_LAST_EXPORT = """
SELECT to_json(exports) FROM exports WHERE table_name = :table ORDER BY recorded_until DESC LIMIT 1
"""
_HOLDS = "SELECT id FROM holds WHERE removed_at IS NULL ORDER BY id"
# Without the subject.
_ERASURES = """
SELECT to_json(erasure) FROM (
    SELECT id, requested_at, requested_by, predictions, outcomes, idempotency_keys, messages, exported_rows
    FROM erasures WHERE completed_at IS NULL ORDER BY id
) AS erasure
"""


def report_status(tools: MaintenanceTools, _: Mapping[str, Any]) -> dict[str, Any]:
    """Return the state. Numbers of rows are estimates; the days until the disk is full assume the last day's rate."""
    partitions = [{"name": name, "rows": rows, "bytes": size} for name, rows, size in tools.select(_PARTITIONS)]
    estimate, size = (sum(partition[name] for partition in partitions) for name in ("rows", "bytes"))
    [[rows_last_day]] = tools.select(_LAST_DAY.format(table="predictions"))
    # A small table was perhaps never estimated.
    rows = max(estimate, rows_last_day)
    outcomes = _report_outcomes(tools)
    bytes_a_day = sum(
        table["rows_last_day"] * table["bytes"] / table["rows"]
        for table in ({"rows": rows, "bytes": size, "rows_last_day": rows_last_day}, outcomes)
        if table["rows"]
    )
    [[database_bytes]] = tools.select(_DATABASE_BYTES)
    newest = tools.select(_NEWEST)
    return {
        "rows": rows,
        "bytes": size,
        "partitions": partitions,
        "oldest": _find_oldest(tools, [partition["name"] for partition in partitions]),
        "newest": newest[0][0].astimezone(UTC).isoformat() if newest else None,
        "rows_last_day": rows_last_day,
        "database_bytes": database_bytes,
        "days_until_full": _estimate_days(tools.settings.database_storage_gb, database_bytes, bytes_a_day),
        "last_export": _find_last_export(tools, "predictions"),
        "outcomes": outcomes,
        "holds": [number for [number] in tools.select(_HOLDS)],
        "open_erasures": [erasure for [erasure] in tools.select(_ERASURES)],
    }


def _report_outcomes(tools: MaintenanceTools) -> dict[str, Any]:
    [[estimate, size]] = tools.select(_OUTCOMES)
    [[rows_last_day]] = tools.select(_LAST_DAY.format(table="outcomes"))
    return {
        "rows": max(estimate, rows_last_day),
        "bytes": size,
        "rows_last_day": rows_last_day,
        "last_export": _find_last_export(tools, "outcomes"),
    }


def _find_last_export(tools: MaintenanceTools, table: str) -> dict[str, Any] | None:
    exports = tools.select(_LAST_EXPORT, table=table)
    return exports[0][0] if exports else None


def _estimate_days(storage_gb: int | None, used_bytes: int, bytes_a_day: float) -> int | None:
    """None where the size of the disk is not known, or nothing was recorded in the last day."""
    if storage_gb is None or not bytes_a_day:
        return None
    return max(0, int((storage_gb * 2**30 - used_bytes) / bytes_a_day))


def _find_oldest(tools: MaintenanceTools, partition_names: Iterable[str]) -> str | None:
    for name in partition_names:
        if found := re.fullmatch(r"predictions_(\d{4})_(\d{2})", name):
            [[oldest]] = tools.select(_OLDEST, first_time=datetime(int(found[1]), int(found[2]), 1, tzinfo=UTC))
            if oldest is not None:
                return str(oldest.astimezone(UTC).isoformat())
    return None
