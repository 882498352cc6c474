"""The tasks of the function monitor: the daily report, and the pairs of predictions and outcomes for a recalibration.

An event is {"task": NAME, ...}; without a task, it is the report. The answer is the result of the task, or
{"error": TEXT} where the request cannot be served.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from lambda_app.monitor.bucket import ReportBucket
from lambda_app.monitor.queries import find_outcomes
from lambda_app.monitor.report import make_report
from lambda_app.monitor.tools import MonitorError, Task, TaskError, Tools, describe_failure
from lambda_app.telemetry import LambdaHandler


def write_report(tools: Tools, _: Mapping[str, Any]) -> dict[str, Any]:
    """Write the report to S3, and its figures to the metrics."""
    bucket = ReportBucket(tools.s3, tools.settings.model_bucket)
    now = datetime.now(UTC)
    report = make_report(tools, bucket, now)
    key = bucket.write_report(report, now)
    figures = choose_metrics(report)
    tools.telemetry.report_made(figures)
    alarms = {"coverage": figures.get("CoverageAlarm") == 1, "drift": figures.get("DriftAlarm") == 1}
    return {"report_key": key, "is_alarm": alarms}


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


def choose_metrics(report: Mapping[str, Any]) -> dict[str, float]:
    """Return the figures of the current version by the names of their metrics, without those that are undefined."""
    figures: dict[str, float | None] = {}
    for version in report["versions"]:
        if not version["is_current"]:
            continue
        if sentinel := version["sentinel"]:
            figures["CoverageEvidence"] = sentinel["evidence"] / sentinel["threshold"]
            figures["CoverageAlarm"] = float(sentinel["is_alarm"])
        if (due := version["due"]) and due["count"]:
            figures["OutcomeShare"] = due["with_outcome"] / due["count"]
        if live := version["live"]:
            names = {"LiveMAE": "mae", "LiveRMSE": "rmse", "LiveCoverage": "coverage"}
            figures |= {metric: live[name]["value"] for metric, name in names.items()}
    if drift := report["drift"]:
        figures["DriftAlarm"] = float(drift["is_alarm"])
        figures["DriftedColumns"] = float(sum(test["is_drift"] for test in drift["tests"]))
    return {name: value for name, value in figures.items() if value is not None}


TASKS: dict[str, Task] = {"report": write_report, "pairs": find_pairs}


def make_handler(tools: Tools) -> LambdaHandler:
    """Return the Lambda handler that runs the task of an event."""

    def monitor(event: dict[str, Any], _: Any) -> dict[str, Any]:
        """Run a task; return its result, or {"error": TEXT}."""
        name = event.get("task", "report")
        try:
            if name not in TASKS:
                raise TaskError(f"there is no task {name!r}: use {', '.join(TASKS)}")
            answer = TASKS[name](tools, event)
        except TaskError as error:
            tools.telemetry.monitor_ended(name)
            return {"error": str(error)}
        except Exception as error:
            reason = describe_failure(error)
            tools.telemetry.monitor_ended(name, failure=reason)
            # Lambda logs the text of an exception.
            raise MonitorError(f"{name}: {reason}") from None
        finally:
            tools.database.close()
        tools.telemetry.monitor_ended(name)
        return answer

    return tools.telemetry.wrap_handler(monitor)
