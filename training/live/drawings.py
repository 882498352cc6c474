"""Draws the monitor's report: errors, coverage, its evidence, drift, and the delay of outcomes."""

import textwrap
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.dates import AutoDateLocator, ConciseDateFormatter, date2num
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.ticker import MaxNLocator, PercentFormatter

from problem.table import TABLE
from training.figure import BLUE, GREY, ORANGE, PALE_BLUE, TITLE_POINTS, start_figure
from training.live.tables import format_days
from training.rounding import format_figure

# Below this the evidence says nothing, and its line would only squeeze the rest.
LEAST_EVIDENCE = 0.1
DRIFT_COLUMNS = 3
WIDTH_INCHES = 10.0
MOST_TICKS = 6
# What has room above a panel.
TITLE_LETTERS = 38


def draw_errors(version: Mapping[str, Any]) -> Figure:
    """The mean absolute error of consecutive outcomes, with its interval and the promise."""
    figure, axes = _start("Mean absolute error of the predictions")
    _draw_blocks(axes, version["over_time"], "mae")
    _draw_promise(axes, (version["promised"] or {}).get("mae"), lambda value: format_figure(value, 3))
    axes.set_ylabel(f"Absolute error ({TABLE.target.unit})")
    axes.set_ylim(bottom=0)
    _end(figure, axes)
    return figure


def draw_coverage(version: Mapping[str, Any], settings: Mapping[str, Any]) -> Figure:
    """The share of consecutive outcomes in their interval, with the promise and what is allowed."""
    figure, axes = _start("How often the intervals hold the truth")
    _draw_blocks(axes, version["over_time"], "coverage")
    nominal = settings["coverage"]
    if nominal is not None:
        _draw_promise(axes, nominal, lambda value: f"{100 * value:.0f} %")
        allowed = nominal - settings["tolerance"]
        axes.axhline(allowed, color=ORANGE, linestyle=":", label=f"Least that is allowed, {100 * allowed:.0f} %")
    axes.set_ylabel(f"Share of the {TABLE.cases}")
    axes.yaxis.set_major_formatter(PercentFormatter(1, decimals=0, symbol=" %"))
    axes.set_ylim(top=1.02)
    _end(figure, axes)
    return figure


def draw_evidence(sentinel: Mapping[str, Any]) -> Figure:
    """The evidence that intervals miss too often, with the threshold of the alarm."""
    figure, axes = _start("Evidence that the intervals miss the truth too often")
    times = [_read_time(time) for _, time, _ in sentinel["line"]]
    evidence = np.maximum([value for _, _, value in sentinel["line"]], LEAST_EVIDENCE)
    axes.plot(times, evidence, color=BLUE, linewidth=1.5, label="Evidence after each outcome")
    axes.axhline(sentinel["threshold"], color=ORANGE, linestyle="--", label=f"Alarm, from {sentinel['threshold']:,} on")
    for number, alarm in enumerate(sentinel["alarms"]):
        label = None if number else "Begin of an alarm"
        axes.axvline(_read_time(alarm["observed_at"]), color=ORANGE, linewidth=1, label=label)
    axes.set_yscale("log")
    axes.set_ylim(LEAST_EVIDENCE, max(evidence.max(), sentinel["threshold"]) * 5)
    axes.set_ylabel("Evidence (logarithmic)")
    _end(figure, axes)
    return figure


def draw_drift(drift: Mapping[str, Any]) -> Figure:
    """For each column the reference with the window on top of it, as shares of the cases."""
    tests = drift["tests"]
    rows = -(-len(tests) // DRIFT_COLUMNS)
    figure = Figure(
        figsize=(WIDTH_INCHES, 2.5 * rows + 0.8), layout=ConstrainedLayoutEngine(w_pad=0.1, h_pad=0.12, wspace=0.04)
    )
    panels = figure.subplots(rows, DRIFT_COLUMNS, squeeze=False).ravel()
    for axes, test in zip(panels, tests, strict=False):
        _draw_column(axes, test)
    for axes in panels[len(tests) :]:
        axes.set_visible(False)
    handles, labels = panels[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=2, frameon=False)
    return figure


def draw_delays(delay: Mapping[str, Any]) -> Figure:
    """The days from a prediction to the observation of its outcome."""
    figure, axes = _start("Days until an outcome is observed")
    axes.stairs(delay["counts"], delay["edges"], fill=True, color=PALE_BLUE)
    for name, title in (("p50", "Half of them within"), ("p90", "Nine of ten within")):
        style = "-" if name == "p50" else "--"
        label = f"{title} {format_days(delay[name])}"
        axes.axvline(delay[name], color=BLUE, linestyle=style, label=label)
    axes.set_xlabel("Days from the prediction to the observation")
    axes.set_ylabel("Outcomes")
    axes.yaxis.set_major_locator(MaxNLocator(integer=True))
    figure.legend(loc="outside lower center", ncols=2, frameon=False)
    return figure


def _start(title: str) -> tuple[Figure, Axes]:
    figure, [axes] = start_figure(WIDTH_INCHES, 3.6)
    axes.set_title(title, fontsize=TITLE_POINTS, loc="left")
    return figure, axes


def _end(figure: Figure, axes: Axes) -> None:
    locator = AutoDateLocator(maxticks=10)  # type: ignore[no-untyped-call]
    axes.xaxis.set_major_locator(locator)
    axes.xaxis.set_major_formatter(ConciseDateFormatter(locator))  # type: ignore[no-untyped-call]
    axes.set_xlabel("Observed")
    figure.legend(loc="outside lower center", ncols=3, frameon=False)


def _draw_blocks(axes: Axes, blocks: Sequence[Mapping[str, Any]], name: str) -> None:
    """Draw a figure of each block at the middle of its time, with its 95 % interval."""
    drawn = [block for block in blocks if block[name]["value"] is not None]
    middles = [(_read_time(block["from"]) + _read_time(block["to"])) / 2 for block in drawn]
    values = [block[name]["value"] for block in drawn]
    ends = [(block[name]["lower"], block[name]["upper"]) for block in drawn]
    for middle, (lower, upper) in zip(middles, ends, strict=True):
        if lower is not None:
            axes.plot([middle, middle], [lower, upper], color=BLUE, linewidth=1, alpha=0.45)
    counts = {block["outcomes"] for block in drawn}
    size = f"{min(counts)}" if len(counts) == 1 else f"{min(counts)} to {max(counts)}" if counts else "0"
    label = f"Each {size} outcomes, with 95 % interval"
    axes.plot(middles, values, "o-", color=BLUE, markersize=4, linewidth=1, label=label)


def _read_time(text: str) -> float:
    """Return a time as matplotlib counts it, in days."""
    return float(date2num(datetime.fromisoformat(text)))  # type: ignore[no-untyped-call]


def _draw_promise(axes: Axes, value: float | None, form: Any) -> None:
    if value is not None:
        axes.axhline(value, color="black", linestyle="--", linewidth=1, label=f"Promised, {form(value)}")


def _draw_column(axes: Axes, test: Mapping[str, Any]) -> None:
    reference, window = (np.array(test[name], float) / max(sum(test[name]), 1) for name in ("reference", "window"))
    edges = np.arange(len(reference) + 1) - 0.5
    color = ORANGE if test["is_drift"] else BLUE
    axes.stairs(reference, edges, fill=True, color="#d1d5db", label="Training")
    axes.stairs(window, edges, color=color, linewidth=2, baseline=None, label=f"New {TABLE.cases} (orange: drift)")
    if "values" in test:
        axes.set_xticks(range(len(reference)), _name_choices(test))
    else:
        # The inner edges stand between the bins; the outer bins are open.
        step = max(1, -(-len(test["edges"]) // MOST_TICKS))
        places = range(0, len(test["edges"]), step)
        axes.set_xticks([place + 0.5 for place in places], [f"{test['edges'][place]:.4g}" for place in places])
    axes.set_title(_name_column(test), fontsize=10, color=ORANGE if test["is_drift"] else "black", loc="left")
    axes.set_xlabel(f"{_find_unit(test)}; PSI {test['psi']:.2f}", fontsize=9, color=GREY)
    axes.yaxis.set_major_formatter(PercentFormatter(1, decimals=0, symbol=" %"))
    axes.yaxis.set_major_locator(MaxNLocator(4))
    axes.tick_params(labelsize=8)
    axes.spines[["top", "right"]].set_visible(False)
    axes.set_ylim(bottom=0)


def _find_feature(test: Mapping[str, Any]) -> Any:
    return next((feature for feature in TABLE.features if feature.name == test["name"]), None)


def _name_column(test: Mapping[str, Any]) -> str:
    feature = _find_feature(test)
    if feature is None:
        return "Prediction"
    meaning = feature.meaning.split(",")[0]
    return textwrap.fill(f"{feature.name}: {meaning}", TITLE_LETTERS)


def _find_unit(test: Mapping[str, Any]) -> str:
    feature = _find_feature(test)
    return TABLE.target.unit if feature is None else feature.unit or "code"


def _name_choices(test: Mapping[str, Any]) -> list[str]:
    feature = _find_feature(test)
    choices = getattr(feature, "choices", None) or {}
    return [str(choices.get(value, f"{value:g}")) for value in test["values"]]
