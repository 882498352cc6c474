"""The monitor's report: asks for a new one, and says in words what its alarms mean."""

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from stacks.functions import Function
from training.live.errors import LiveError
from training.storage import explain_failures, fetch_object

if TYPE_CHECKING:
    from types_boto3_s3 import S3Client

FORMAT = 1

Report = Mapping[str, Any]


def fetch_report(monitor: Function, client: "S3Client", bucket: str) -> dict[str, Any]:
    """Let the monitor make a report and read it from the bucket."""
    key = monitor({"task": "report"})["report_key"]
    with explain_failures(bucket):
        found = fetch_object(client, bucket, key)
    if found is None:
        raise LiveError(f"the report {key} is not in bucket {bucket}")
    report: dict[str, Any] = json.loads(found.content)
    if report.get("format") != FORMAT:
        raise LiveError(f"the report has format {report.get('format')}, and this command reads {FORMAT}")
    return report


def find_current(report: Report) -> dict[str, Any] | None:
    """The part about the version that is served; None if there is none."""
    return next((version for version in report["versions"] if version["is_current"]), None)


def find_alarms(report: Report) -> list[str]:
    """List the alarms, each in one or two sentences that also say how often such an alarm is false."""
    alarms = []
    settings = report["settings"]
    for version in report["versions"]:
        sentinel = version["sentinel"]
        if sentinel and sentinel["is_alarm"]:
            began = f" since {sentinel['alarms'][-1]['observed_at'][:10]}" if sentinel["alarms"] else ""
            alarms.append(
                f"Coverage of {version['model_version']}{began}: its intervals miss the truth more often than "
                f"promised. {describe_coverage_odds(report)}"
            )
    drift = report["drift"]
    if drift and drift["is_alarm"]:
        names = [test["name"] for test in drift["tests"] if test["is_drift"]]
        alarms.append(
            f"Drift of {', '.join(names)}: new data differ from those of the training. "
            f"{describe_drift_odds(settings['drift_false_alarms_per_year'])}"
        )
    return alarms


def describe_coverage_odds(report: Report) -> str:
    """How often the alarm of the coverage is false."""
    settings = report["settings"]
    share = "what is allowed"
    if settings["coverage"] is not None:
        share = f"{100 * (1 - settings['coverage'] + settings['tolerance']):.0f} %"
    return (
        f"While at most {share} of the intervals miss the truth, on average at least "
        f"{settings['outcomes_to_false_alarm']:,} outcomes pass until a false alarm."
    )


def describe_drift_odds(per_year: float) -> str:
    """How often the alarm of the drift is false."""
    days = "1 day a year has" if per_year == 1 else f"{per_year:g} days a year have"
    return f"While nothing changes, with daily reports at most {days} a false alarm on average."
