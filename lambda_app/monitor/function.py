"""The tasks of the function monitor.

They make the daily report, find the outcomes with their predictions for a recalibration, and compare a candidate with
the current version.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from lambda_app.errors import BundleError
from lambda_app.monitor.bucket import ReportBucket
from lambda_app.monitor.promises import read_pointer
from lambda_app.monitor.queries import find_outcomes
from lambda_app.monitor.report import make_report
from lambda_app.monitor.trial import describe_trial
from lambda_app.tasks import Task, TaskError, Tools, make_task_handler
from lambda_app.telemetry import LambdaHandler


def write_report(tools: Tools, _: Mapping[str, Any]) -> dict[str, Any]:
    """Write the report to S3, and its figures to the metrics."""
    bucket = ReportBucket(tools.s3, tools.settings.model_bucket)
    now = datetime.now(UTC)
    report = make_report(tools, bucket, now)
    key = bucket.write_report(report, now)
    return {
        "report_key": key,
        "is_alarm": {"coverage": _tell_coverage(tools, report), "drift": _tell_drift(tools, report)},
    }


def _tell_coverage(tools: Tools, report: Mapping[str, Any]) -> bool:
    """Report the figures of the current version, and return whether the sentinel alarms."""
    current = next((version for version in report["versions"] if version["is_current"]), None)
    if current is None:
        return False
    sentinel, due, live = current["sentinel"], current["due"], current["live"]
    tools.telemetry.version_compared(
        evidence=sentinel["evidence"] / sentinel["threshold"] if sentinel else None,
        is_alarm=sentinel["is_alarm"] if sentinel else None,
        outcome_share=due["with_outcome"] / due["count"] if due and due["count"] else None,
        mae=live["mae"]["value"] if live else None,
        rmse=live["rmse"]["value"] if live else None,
        coverage=live["coverage"]["value"] if live else None,
    )
    return bool(sentinel and sentinel["is_alarm"])


def _tell_drift(tools: Tools, report: Mapping[str, Any]) -> bool:
    drift = report["drift"]
    if drift is None:
        return False
    tools.telemetry.drift_tested(sum(test["is_drift"] for test in drift["tests"]), is_alarm=drift["is_alarm"])
    return bool(drift["is_alarm"])


def find_pairs(tools: Tools, event: Mapping[str, Any]) -> dict[str, Any]:
    """Return the evaluated outcomes of a version that had a promised coverage, in observed order."""
    version = event.get("model_version")
    if not isinstance(version, str) or not version:
        raise TaskError("model_version must name a version")
    evaluated = find_outcomes(tools, version).get(version)
    if evaluated is None:
        return {"pairs": []}
    rows = zip(
        evaluated.inside.tolist(),
        evaluated.predictions.tolist(),
        evaluated.lower.tolist(),
        evaluated.upper.tolist(),
        evaluated.values.tolist(),
        [time.isoformat() for time in evaluated.observed_at],
        strict=True,
    )
    return {"pairs": [pair for is_inside, *pair in rows if is_inside]}


def compare_candidate(tools: Tools, _: Mapping[str, Any]) -> dict[str, Any]:
    """Return the comparison of the candidate with the current version, as in the report. It writes nothing."""
    bucket = ReportBucket(tools.s3, tools.settings.model_bucket)
    try:
        pointer = read_pointer(bucket)
    except BundleError as error:
        raise TaskError(str(error)) from error
    if pointer is None:
        raise TaskError("no model is current")
    if pointer.candidate_fault is not None:
        raise TaskError(pointer.candidate_fault)
    found = describe_trial(tools, bucket, pointer, datetime.now(UTC))
    if found is None:
        raise TaskError(
            f"there is no candidate to compare with {pointer.version}: promote one with --shadow or --canary"
        )
    return found


TASKS: dict[str, Task[Tools]] = {"report": write_report, "pairs": find_pairs, "compare": compare_candidate}


def make_handler(tools: Tools) -> LambdaHandler:
    """Return the Lambda handler of the function."""
    return make_task_handler(tools, TASKS, "report", tools.telemetry.monitor_ended)
