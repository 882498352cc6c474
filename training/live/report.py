"""The monitor's report: says in words what its alarms mean."""

from collections.abc import Mapping
from typing import Any

Report = Mapping[str, Any]


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
        f"{settings['outcomes_to_false_alarm']:,} outcomes pass until a false alarm, "
        "if they are reported in the order in which they were observed."
    )


def describe_drift_odds(per_year: float) -> str:
    """How often the alarm of the drift is false."""
    days = "1 day a year has" if per_year == 1 else f"{per_year:g} days a year have"
    return f"While nothing changes, with daily reports at most {days} a false alarm on average."
