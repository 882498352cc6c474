"""The end of retention: months of predictions are dropped, old outcomes and idempotency keys deleted."""

from calendar import monthrange
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date, timedelta

import pg8000.native

from lambda_app.log.database import DATABASE_ERRORS
from lambda_app.maintain.export import read_times
from lambda_app.maintain.files import RecordsBucket
from lambda_app.maintain.manifest import Manifest
from lambda_app.maintain.partitions import (
    detach_month,
    drop_detached,
    find_holds,
    list_expired_months,
    list_unverified_days,
)
from lambda_app.maintain.tables import OUTCOMES, PREDICTIONS, ExportedTable
from lambda_app.maintain.tools import MaintenanceTools, forget_failures
from lambda_app.maintain.verification import list_current_parts, read_sound_manifest, verify_export
from lambda_app.tasks import TaskFailedError, describe_failure

# A statement deletes at most so many keys or outcomes, in well under a second.
ROWS_AT_ONCE = 10_000
# Time for the work that comes after.
SPARE_SECONDS = 60
_DELETE_KEYS = """
DELETE FROM idempotency_keys WHERE ctid = ANY (ARRAY(
    SELECT ctid FROM idempotency_keys WHERE created_at < now() - make_interval(days => :days) LIMIT :most
))
"""
# The month of the day ended so many months ago.
_LIST_OLD_DAYS = """
SELECT DISTINCT CAST(reported_at AT TIME ZONE 'UTC' AS date) FROM outcomes
WHERE reported_at < date_trunc('month', now(), 'UTC') - make_interval(months => :kept_months)
ORDER BY 1
"""
_IS_VERIFIED = "SELECT day FROM verified_outcome_days WHERE day = :day"
_DELETE_OUTCOMES = "SELECT expire_outcomes(:day, :most)"
_COUNT_KEPT = """
SELECT count(*) FROM outcomes JOIN verified_outcome_days ON day = :day
WHERE reported_at >= CAST(:day AS timestamp) AT TIME ZONE 'UTC'
    AND reported_at < (CAST(:day AS timestamp) + interval '1 day') AT TIME ZONE 'UTC'
    AND outcomes.recorded_at <= expired_until
"""


@dataclass(frozen=True)
class Expired:
    """The partitions that were dropped, and for each month that holds keep, their ids."""

    dropped: list[str]
    kept_by_holds: dict[str, list[int]] = field(default_factory=dict)


def drop_months(tools: MaintenanceTools) -> Expired:
    """Drop the months that are older than the retention; TaskFailedError names those that stay by a fault."""
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
        except (TaskFailedError, *DATABASE_ERRORS) as error:
            forget_failures(tools.database)
            faults.append(f"{month:%Y-%m} stays: {describe_failure(error)}")
    if faults:
        raise TaskFailedError("; ".join(faults))
    return expired


def _drop_month(tools: MaintenanceTools, month: date, expired: Expired) -> None:
    if holds := tools.database.run_statement(lambda connection: find_holds(connection, month)):
        expired.kept_by_holds[f"{month:%Y-%m}"] = holds
        return
    times = read_times(tools, PREDICTIONS)
    days = tools.database.run_statement(lambda connection: list_unverified_days(connection, month))
    if days and not times.is_exported:
        # The export has not come so far yet, and says why if it failed.
        return
    manifests = []
    for day in (month + timedelta(days=n) for n in range(monthrange(month.year, month.month)[1])):
        if tools.seconds_left() < SPARE_SECONDS:
            return
        manifest = read_sound_manifest(tools, PREDICTIONS, day)
        manifests.append(manifest)
        if fault := verify_export(tools, PREDICTIONS, manifest, times.cutoff, again=True):
            raise TaskFailedError(fault)
    if days and tools.database.run_statement(lambda connection: list_unverified_days(connection, month)):
        # A row came after the cutoff. The next run exports it.
        return
    _require_files(tools, PREDICTIONS, manifests)
    tools.database.run_transaction(lambda connection: detach_month(connection, month))
    expired.dropped.extend(tools.database.run_transaction(drop_detached))


def _require_files(tools: MaintenanceTools, table: ExportedTable, manifests: Iterable[Manifest]) -> None:
    """TaskFailedError unless S3 has each file that the manifests name."""
    bucket = RecordsBucket(tools.s3, tools.settings.records_bucket, table)
    parts = tools.database.run_transaction(
        lambda connection: [part for manifest in manifests for part in list_current_parts(connection, table, manifest)]
    )
    for part in parts:
        if fault := bucket.find_fault(part):
            raise TaskFailedError(fault)


@dataclass
class ExpiredOutcomes:
    """How many outcomes were deleted, and how many that are as old a hold keeps."""

    deleted: int = 0
    kept_by_holds: int = 0


def delete_old_outcomes(tools: MaintenanceTools) -> ExpiredOutcomes:
    """Delete the outcomes that are older than the retention; TaskFailedError names the days that stay by a fault."""
    expired = ExpiredOutcomes()
    if tools.settings.retention_months is None:
        return expired
    faults = []
    for [day] in tools.select(_LIST_OLD_DAYS, kept_months=tools.settings.retention_months):
        if tools.seconds_left() < SPARE_SECONDS:
            break
        try:
            _delete_outcomes(tools, day, expired)
        except (TaskFailedError, *DATABASE_ERRORS) as error:
            forget_failures(tools.database)
            faults.append(f"outcomes of {day} stay: {describe_failure(error)}")
    if faults:
        raise TaskFailedError("; ".join(faults))
    return expired


def _delete_outcomes(tools: MaintenanceTools, day: date, expired: ExpiredOutcomes) -> None:
    if not tools.select(_IS_VERIFIED, day=day):
        # The export has not come so far yet, and says why if it failed.
        return
    times = read_times(tools, OUTCOMES)
    manifest = read_sound_manifest(tools, OUTCOMES, day)
    if fault := verify_export(tools, OUTCOMES, manifest, times.cutoff, again=True):
        raise TaskFailedError(fault)
    _require_files(tools, OUTCOMES, [manifest])
    while tools.seconds_left() > SPARE_SECONDS:
        [[count]] = tools.select(_DELETE_OUTCOMES, day=day, most=ROWS_AT_ONCE)
        expired.deleted += count
        if count < ROWS_AT_ONCE:
            break
    [[left]] = tools.select(_COUNT_KEPT, day=day)
    expired.kept_by_holds += left


def delete_old_keys(tools: MaintenanceTools) -> int:
    """Delete the idempotency keys that have expired; returns their number."""
    deleted = 0

    def delete_some(connection: pg8000.native.Connection) -> int:
        connection.run(_DELETE_KEYS, days=tools.settings.idempotency_days, most=ROWS_AT_ONCE)
        return int(connection.row_count)

    while tools.seconds_left() > SPARE_SECONDS:
        count = tools.database.run_statement(delete_some)
        deleted += count
        if count < ROWS_AT_ONCE:
            break
    return deleted
