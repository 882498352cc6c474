"""Prints the monitor's report: alarms first, then the figures beside the promise, drift, and the other versions."""

from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from problem.table import TABLE
from training.live.report import Report, find_alarms
from training.rounding import format_figure

# The figures of the report, as people call them.
FIGURES = {
    "mae": "Mean absolute error",
    "rmse": "RMSE",
    "bias": "Bias (prediction less truth)",
    "r2": "R²",
    "coverage": "Coverage of the intervals",
    "mean_width": "Mean width of the intervals",
}
NOTHING = "-"
THIRDS = ("lowest", "middle", "highest")


def print_report(console: Console, report: Report) -> None:
    """Print it, for a terminal or a file."""
    alarms = find_alarms(report)
    console.print(Text(f"Report of {report['generated_at'][:16].replace('T', ' ')} UTC", style="bold"))
    for alarm in alarms:
        console.print(Text(f"ALARM  {alarm}", style="bold red"))
    if not alarms:
        console.print("No alarm")
    for version in sorted(report["versions"], key=lambda entry: not entry["is_current"]):
        _print_version(console, version)
    _print_drift(console, report)


def format_value(name: str, value: float | None) -> str:
    """A figure as people read it, without its unit."""
    if value is None:
        return NOTHING
    if name == "coverage":
        return f"{100 * value:.1f} %"
    return f"{value:.3f}" if name == "r2" else format_figure(value, 3 if abs(value) < 100 else 4)


def format_estimate(name: str, estimate: Mapping[str, float | None] | None) -> tuple[str, str]:
    """The value, and its interval."""
    if estimate is None:
        return NOTHING, NOTHING
    ends = [format_value(name, estimate[end]) for end in ("lower", "upper")]
    return format_value(name, estimate["value"]), NOTHING if NOTHING in ends else " to ".join(ends)


def describe_third(third: Mapping[str, Any], place: int) -> str:
    """The range of the predictions of a third."""
    lower, upper = (None if end is None else format_figure(end, 3) for end in (third["from"], third["to"]))
    ends = f"below {upper}" if lower is None else f"from {lower}" if upper is None else f"{lower} to {upper}"
    return f"{THIRDS[place]} third, {ends}"


def _print_version(console: Console, version: Mapping[str, Any]) -> None:
    console.print()
    name, made = version["model_version"], version["predictions"]
    console.print(Text(f"{name}{' (current)' if version['is_current'] else ''}", style="bold"))
    console.print(
        f"{made['count']:,} predictions from {made['from'][:10]} to {made['to'][:10]}, "
        f"{made['with_outcome']:,} of them with an outcome",
        highlight=False,
    )
    due = version["due"]
    if due and due["count"]:
        console.print(
            f"Of those that had time for it, {due['with_outcome']:,} of {due['count']:,} have an outcome "
            f"({100 * due['with_outcome'] / due['count']:.0f} %)",
            highlight=False,
        )
    if delay := version["delay_days"]:
        console.print(
            f"An outcome comes after {format_figure(delay['p50'], 3)} days (median); nine of ten within "
            f"{format_figure(delay['p90'], 3)} days",
            highlight=False,
        )
    if expected := version["expected"]:
        console.print(
            f"For {expected['count']:,} predictions without an outcome, an absolute error of "
            f"{format_figure(expected['mae'], 3)} is expected",
            highlight=False,
        )
    if not version["live"]:
        console.print("No figures: too few outcomes")
        return
    promised = version["promised"] or {}
    table = Table(
        title=f"{version['live']['outcomes']:,} outcomes, in units of {TABLE.target.unit}", title_justify="left"
    )
    table.add_column("")
    for title in ("Live", "95 % interval", "Promised"):
        table.add_column(title, justify="right", no_wrap=True)
    for key, title in FIGURES.items():
        table.add_row(title, *format_estimate(key, version["live"][key]), format_value(key, promised.get(key)))
    console.print(table)
    if version["thirds"]:
        console.print(_list_thirds(version["thirds"]))


def _list_thirds(thirds: Sequence[Mapping[str, Any]]) -> Table:
    table = Table(title="By thirds of the prediction", title_justify="left")
    table.add_column("Prediction")
    for title in ("Made", "Known", "MAE (promised)", "Bias (promised)", "Coverage (promised)"):
        table.add_column(title, justify="right")
    for place, third in enumerate(thirds):
        live, promised = third["live"] or {}, third["promised"] or {}
        figures = [
            f"{format_estimate(key, live.get(key))[0]} ({format_value(key, promised.get(key))})"
            for key in ("mae", "bias", "coverage")
        ]
        counts = (f"{third['predictions']:,}", f"{third['with_outcome']:,}")
        table.add_row(describe_third(third, place), *counts, *figures)
    return table


def _print_drift(console: Console, report: Report) -> None:
    drift = report["drift"]
    console.print()
    if not drift or not drift["tests"]:
        console.print(Text(f"Drift was not tested: {report['note']}"))
        return
    title = f"Drift: {drift['cases']:,} {TABLE.cases} from {drift['from'][:10]} to {drift['to'][:10]}"
    table = Table(title=title, title_justify="left")
    table.add_column("Column")
    for head in ("adjusted p", "Cramér's V", "PSI"):
        table.add_column(head, justify="right")
    table.add_column("")
    for test in sorted(drift["tests"], key=lambda entry: entry["adjusted_p"]):
        table.add_row(
            test["name"],
            f"{test['adjusted_p']:.2g}",
            f"{test['cramers_v']:.2f}",
            f"{test['psi']:.2f}",
            "drift" if test["is_drift"] else "",
            style="bold red" if test["is_drift"] else "",
        )
    console.print(table)
