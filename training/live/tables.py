"""Prints the monitor's report: alarms first, then the figures beside the promise, drift, and the other versions."""

from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from problem.table import TABLE
from training.live.report import Report, find_alarms
from training.rounding import count_decimals, format_figure

# The figures of the report, as people call them.
FIGURES = {
    "mae": "Mean absolute error",
    "rmse": "RMSE",
    "bias": "Bias (prediction minus outcome)",
    "r2": "R²",
    "coverage": "Coverage of the intervals",
    "mean_width": "Mean width of the intervals",
}
NOTHING = "-"
# Three of them show whether two errors differ by more than their intervals.
DIGITS = 3


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


def choose_decimals(version: Mapping[str, Any]) -> int:
    """The decimals of all figures of a version that are in the unit of the target: its mean absolute error decides."""
    return count_decimals(version["live"]["mae"]["value"], DIGITS)


def format_value(name: str, value: float | None, decimals: int) -> str:
    """A figure as people read it, without its unit."""
    if value is None:
        return NOTHING
    if name == "coverage":
        return f"{100 * value:.1f} %"
    return f"{value:.{3 if name == 'r2' else decimals}f}".replace("-", "\N{MINUS SIGN}")


def format_estimate(name: str, estimate: Mapping[str, float | None] | None, decimals: int) -> tuple[str, str]:
    """The value, and its interval."""
    if estimate is None:
        return NOTHING, NOTHING
    ends = [format_value(name, estimate[end], decimals) for end in ("lower", "upper")]
    return format_value(name, estimate["value"], decimals), NOTHING if NOTHING in ends else " to ".join(ends)


def format_days(days: float) -> str:
    """A delay. On a stack that somebody tries, an outcome follows its prediction in minutes."""
    return f"{format_figure(days, DIGITS)} days" if days >= 0.1 else "less than 0.1 days"


def describe_third(third: Mapping[str, Any]) -> str:
    """The range of the predictions of a third."""
    lower, upper = (None if end is None else format_figure(end, DIGITS) for end in (third["from"], third["to"]))
    return f"below {upper}" if lower is None else f"from {lower}" if upper is None else f"{lower} to {upper}"


def describe_outcomes(version: Mapping[str, Any]) -> str:
    """The title of the figures."""
    unit = f"; errors and widths in the unit of the target ({TABLE.target.unit})" if TABLE.target.unit else ""
    return f"The last {version['live']['outcomes']:,} outcomes{unit}"


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
            f"Half of the outcomes come within {format_days(delay['p50'])}, nine of ten within "
            f"{format_days(delay['p90'])}",
            highlight=False,
        )
    if expected := version["expected"]:
        console.print(
            f"For {expected['count']:,} predictions without an outcome, an absolute error of "
            f"{format_figure(expected['mae'], 3)} is expected",
            highlight=False,
        )
    if not version["live"]:
        console.print("No figures yet: too few outcomes. `training outcomes import` sends them", highlight=False)
        return
    promised = version["promised"] or {}
    decimals = choose_decimals(version)
    table = Table(title=describe_outcomes(version), title_justify="left")
    table.add_column("")
    for title in ("Live", "95 % interval", "Promised"):
        table.add_column(title, justify="right", no_wrap=True)
    for key, title in FIGURES.items():
        estimate = format_estimate(key, version["live"][key], decimals)
        table.add_row(title, *estimate, format_value(key, promised.get(key), decimals))
    console.print(table)
    if version["thirds"]:
        # The whole title in one line.
        console.print("By thirds of the prediction; in brackets what was promised", style="italic")
        console.print(_list_thirds(version["thirds"], decimals))


def _list_thirds(thirds: Sequence[Mapping[str, Any]], decimals: int) -> Table:
    table = Table()
    table.add_column("Prediction", no_wrap=True)
    for title in ("Made", "Known", "MAE", "Bias", "Coverage"):
        table.add_column(title, justify="right", no_wrap=True)
    for third in thirds:
        table.add_row(describe_third(third), *list_third(third, ("mae", "bias", "coverage"), decimals))
    return table


def list_third(third: Mapping[str, Any], names: Sequence[str], decimals: int) -> list[str]:
    """The cells of a third: the predictions of the window, those with an outcome, and figures beside the promise."""
    live, promised = third["live"] or {}, third["promised"] or {}
    figures = [
        f"{format_estimate(name, live.get(name), decimals)[0]} ({format_value(name, promised.get(name), decimals)})"
        for name in names
    ]
    return [f"{third['predictions']:,}", f"{third['with_outcome']:,}", *figures]


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
            f"{test['cramers_v']:.2f} ({test['least_v']:.2f})",
            f"{test['psi']:.2f}",
            "drift" if test["is_drift"] else "",
            style="bold red" if test["is_drift"] else "",
        )
    console.print(table)
