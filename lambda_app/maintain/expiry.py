"""The end of retention: months whose rows are exported are dropped, and old idempotency keys deleted."""

from dataclasses import dataclass, field
from datetime import date, timedelta

import pg8000.native

from lambda_app.log.database import DATABASE_ERRORS
from lambda_app.maintain.export import list_current_parts, read_times, verify_export
from lambda_app.maintain.files import RecordsBucket
from lambda_app.maintain.partitions import (
    detach_month,
    drop_detached,
    find_holds,
    list_expired_months,
    list_unverified_days,
)
from lambda_app.maintain.tools import MaintenanceError, Tools, describe_failure, forget_failures

# A statement deletes at most so many keys, in well under a second.
KEYS_AT_ONCE = 10_000
# Time for the work that comes after.
SPARE_SECONDS = 60
_DELETE_KEYS = """
DELETE FROM idempotency_keys WHERE ctid = ANY (ARRAY(
    SELECT ctid FROM idempotency_keys WHERE created_at < now() - make_interval(days => :days) LIMIT :most
))
"""


@dataclass(frozen=True)
class Expired:
    """The partitions that were dropped, and for each month that holds keep, their ids."""

    dropped: list[str]
    kept_by_holds: dict[str, list[int]] = field(default_factory=dict)


def drop_months(tools: Tools) -> Expired:
    """Drop the months that are older than the retention; MaintenanceError names those that stay by a fault."""
    # A run that was killed may have detached one.
    expired = Expired(tools.database.run_transaction(drop_detached))
    kept_months = tools.settings.retention_months
    if kept_months is None:
        return expired
    faults = []
    for month in tools.database.run_statement(lambda connection: list_expired_months(connection, kept_months)):
        if tools.seconds_left() < SPARE_SECONDS:
            break
        try:
            _drop_month(tools, month, expired)
        except (MaintenanceError, *DATABASE_ERRORS) as error:
            forget_failures(tools.database)
            faults.append(f"{month:%Y-%m} stays: {describe_failure(error)}")
    if faults:
        raise MaintenanceError("; ".join(faults))
    return expired


def _drop_month(tools: Tools, month: date, expired: Expired) -> None:
    if holds := tools.database.run_statement(lambda connection: find_holds(connection, month)):
        expired.kept_by_holds[f"{month:%Y-%m}"] = holds
        return
    times = read_times(tools)
    days = tools.database.run_statement(lambda connection: list_unverified_days(connection, month))
    if days and not times.is_exported:
        # The export has not come so far yet, and says why if it failed.
        return
    following = (month + timedelta(days=31)).replace(day=1)
    for number in range((following - month).days):
        if tools.seconds_left() < SPARE_SECONDS:
            return
        if fault := verify_export(tools, month + timedelta(days=number), times.cutoff, again=True):
            raise MaintenanceError(fault)
    if days and tools.database.run_statement(lambda connection: list_unverified_days(connection, month)):
        # A row came after the cutoff. The next run exports it.
        return
    _require_files(tools, month)
    tools.database.run_transaction(lambda connection: detach_month(connection, month))
    expired.dropped.extend(tools.database.run_transaction(drop_detached))


def _require_files(tools: Tools, month: date) -> None:
    """MaintenanceError unless S3 has each file that the manifests of the month name."""
    bucket = RecordsBucket(tools.s3, tools.settings.records_bucket)
    manifests = bucket.read_manifests(month)
    parts = tools.database.run_transaction(
        lambda connection: [part for manifest in manifests for part in list_current_parts(connection, manifest)]
    )
    for part in parts:
        if fault := bucket.find_fault(part):
            raise MaintenanceError(fault)


def delete_old_keys(tools: Tools) -> int:
    """Delete the idempotency keys that have expired; returns their number."""
    deleted = 0

    def delete_some(connection: pg8000.native.Connection) -> int:
        connection.run(_DELETE_KEYS, days=tools.settings.idempotency_days, most=KEYS_AT_ONCE)
        return int(connection.row_count)

    while tools.seconds_left() > SPARE_SECONDS:
        count = tools.database.run_statement(delete_some)
        deleted += count
        if count < KEYS_AT_ONCE:
            break
    return deleted
