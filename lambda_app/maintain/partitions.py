"""The partitions of the months: made ahead of time, detached and dropped when their rows are exported and verified."""

from datetime import date

import pg8000.native

_COUNT_DEFAULT_ROWS = "SELECT count(*) FROM predictions_default"
_ADD = "SELECT add_partitions(:ahead)"
_LIST_EXPIRED = """
SELECT to_date(substr(relname, 13), 'YYYY_MM')
FROM pg_inherits JOIN pg_class ON pg_class.oid = inhrelid
WHERE inhparent = CAST('predictions' AS regclass) AND relname ~ '^predictions_[0-9]{4}_[0-9]{2}$'
    AND to_date(substr(relname, 13), 'YYYY_MM') + make_interval(months => 1 + :kept_months) <= now() AT TIME ZONE 'UTC'
ORDER BY 1
"""
_LIST_UNVERIFIED = """
SELECT CAST(days.day AS date)
FROM generate_series(
    CAST(:month AS timestamp), CAST(:month AS timestamp) + interval '1 month - 1 day', '1 day'
) AS days (day)
LEFT JOIN verified_days ON verified_days.day = CAST(days.day AS date)
WHERE recorded_until IS NULL OR EXISTS (
    SELECT FROM predictions
    WHERE created_at >= days.day AT TIME ZONE 'UTC' AND created_at < (days.day + interval '1 day') AT TIME ZONE 'UTC'
        AND recorded_at > recorded_until
)
ORDER BY 1
"""
_FIND_HOLDS = """
SELECT find_holds(
    CAST(:month AS timestamp) AT TIME ZONE 'UTC', (CAST(:month AS timestamp) + interval '1 month') AT TIME ZONE 'UTC'
)
"""
_DETACH = "SELECT detach_month(:month)"
_DROP = "SELECT drop_detached()"


def count_default_rows(connection: pg8000.native.Connection) -> int:
    """The rows that no month's partition took."""
    [[count]] = connection.run(_COUNT_DEFAULT_ROWS) or []
    return int(count)


def add_partitions(connection: pg8000.native.Connection, ahead: int) -> list[str]:
    """Make what partitions are missing; rows of predictions_default move into theirs. Returns the new ones' names."""
    return [name for [name] in connection.run(_ADD, ahead=ahead) or []]


def list_expired_months(connection: pg8000.native.Connection, kept_months: int) -> list[date]:
    """The first days of the months that have a partition and ended so many months ago."""
    return [month for [month] in connection.run(_LIST_EXPIRED, kept_months=kept_months) or []]


def list_unverified_days(connection: pg8000.native.Connection, month: date) -> list[date]:
    """The days of a month with rows that were not compared with the export."""
    return [day for [day] in connection.run(_LIST_UNVERIFIED, month=month) or []]


def find_holds(connection: pg8000.native.Connection, month: date) -> list[int]:
    """The holds that keep rows of a month."""
    return [int(hold) for [hold] in connection.run(_FIND_HOLDS, month=month) or []]


def detach_month(connection: pg8000.native.Connection, month: date) -> None:
    """Detach the month's partition; the database refuses if that would lose a row."""
    connection.run(_DETACH, month=month)


def drop_detached(connection: pg8000.native.Connection) -> list[str]:
    """Drop the partitions that were detached; returns their names."""
    return [name for [name] in connection.run(_DROP) or []]
