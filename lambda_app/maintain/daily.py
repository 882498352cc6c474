"""The daily work: each step by itself, so that a fault in one does not stop the others."""

from collections.abc import Callable, Mapping
from typing import Any

from lambda_app.maintain.erasure import finish_erasures
from lambda_app.maintain.expiry import delete_old_keys, delete_old_outcomes, drop_months
from lambda_app.maintain.export import export_days
from lambda_app.maintain.lease import working_alone
from lambda_app.maintain.linking import link_outcomes
from lambda_app.maintain.partitions import add_partitions, count_default_rows
from lambda_app.maintain.tables import OUTCOMES, PREDICTIONS
from lambda_app.maintain.tools import MaintenanceTools, forget_failures
from lambda_app.tasks import TaskFailedError, describe_failure

MONTHS_AHEAD = 3

Result = dict[str, Any]


def work_daily(tools: MaintenanceTools, _: Mapping[str, Any]) -> Result:
    """Look after partitions, links, export and expiry; TaskFailedError at the end if a step failed."""
    result: Result = {}
    failures = []
    with working_alone(tools):
        for step in STEPS:
            try:
                result |= step(tools)
            except Exception as error:
                forget_failures(tools.database)
                failures.append(f"{step.__name__.removeprefix('_')}: {describe_failure(error)}")
    counts = {name: value if isinstance(value, int) else len(value) for name, value in result.items()}
    tools.telemetry.daily_work_ended(counts, failed=bool(failures))
    if failures:
        raise TaskFailedError("; ".join(failures))
    return result


def _finish_erasures(tools: MaintenanceTools) -> Result:
    finished = finish_erasures(tools)
    return {"completed_erasures": finished["completed"], "open_erasures": finished["open"]}


def _make_partitions(tools: MaintenanceTools) -> Result:
    # Before they move into a partition: that there were any calls for a look.
    default_rows = tools.database.run_statement(count_default_rows)
    return {
        "default_rows": default_rows,
        "partitions": tools.database.run_transaction(lambda connection: add_partitions(connection, MONTHS_AHEAD)),
    }


def _link_outcomes(tools: MaintenanceTools) -> Result:
    return {"linked_outcomes": link_outcomes(tools)}


def _export(tools: MaintenanceTools) -> Result:
    exported = export_days(tools, PREDICTIONS)
    result: Result = {"days": exported.days, "exported_rows": exported.rows}
    # The next run goes on where this one had to stop.
    return result if exported.is_complete else result | {"unfinished": True}


def _export_outcomes(tools: MaintenanceTools) -> Result:
    exported = export_days(tools, OUTCOMES)
    result: Result = {"outcome_days": exported.days, "exported_outcomes": exported.rows}
    return result if exported.is_complete else result | {"unfinished": True}


def _expire(tools: MaintenanceTools) -> Result:
    expired = drop_months(tools)
    return {"dropped": expired.dropped, "kept_by_holds": expired.kept_by_holds}


def _expire_outcomes(tools: MaintenanceTools) -> Result:
    expired = delete_old_outcomes(tools)
    return {"expired_outcomes": expired.deleted, "outcomes_kept_by_holds": expired.kept_by_holds}


def _expire_keys(tools: MaintenanceTools) -> Result:
    return {"expired_keys": delete_old_keys(tools)}


STEPS: list[Callable[[MaintenanceTools], Result]] = [
    _finish_erasures,
    _make_partitions,
    _link_outcomes,
    _export,
    _export_outcomes,
    _expire,
    _expire_outcomes,
    _expire_keys,
]
