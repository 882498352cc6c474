"""Draws how a candidate compares with the current version after each outcome: error and coverage, each with zero."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from problem.table import TABLE
from training.figure import BLUE, GREEN, PALE_BLUE, TITLE_POINTS, start_figure
from training.live.trial import Trial

# The first intervals are so wide that they would squeeze the last ones.
MOST_REACHES = 4.0


def draw_trial(trial: Trial) -> Figure | None:
    """Draw candidate minus current for error and coverage, with the confidence sequence; None without outcomes."""
    unit = f" ({TABLE.target.unit})" if TABLE.target.unit else ""
    panels = [
        ("absolute_error", "Mean absolute error", f"Difference{unit}; below 0 is better", 1.0),
        ("coverage", "Coverage of the intervals", "Difference (points); above 0 is more", 100.0),
    ]
    drawn = [panel for panel in panels if trial[panel[0]]]
    if not drawn:
        return None
    figure, all_axes = start_figure(10, 4.2, [1] * len(drawn))
    for axes, (name, title, label, factor) in zip(all_axes, drawn, strict=True):
        _draw_line(axes, trial[name], factor)
        axes.set_title(title, fontsize=TITLE_POINTS - 1, loc="left")
        axes.set_ylabel(label)
        axes.set_xlabel("Outcomes")
        axes.xaxis.set_major_locator(MaxNLocator("auto", integer=True))
    handles, labels = all_axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=3, frameon=False)
    return figure


def _draw_line(axes: Axes, found: Mapping[str, Any], factor: float) -> None:
    counts = [point[0] for point in found["line"]]
    differences, lower, upper = (factor * np.array([point[place] for point in found["line"]]) for place in (2, 3, 4))
    tolerance = factor * found["tolerance"]
    axes.axhspan(-tolerance, tolerance, color=GREEN, alpha=0.15, linewidth=0, label="Counts as no difference")
    axes.axhline(0, color="black", linewidth=1)
    axes.fill_between(counts, lower, upper, color=PALE_BLUE, alpha=0.6, label="Interval, 95 % for all looks together")
    style = {"marker": "o", "markersize": 4} if len(counts) == 1 else {}
    axes.plot(counts, differences, color=BLUE, linewidth=1.5, label="Candidate minus current", **style)  # type: ignore[arg-type]
    last, reach = differences[-1], upper[-1] - differences[-1]
    ends = (last - MOST_REACHES * reach, last + MOST_REACHES * reach)
    axes.set_ylim(min(ends[0], -1.5 * tolerance), max(ends[1], 1.5 * tolerance))
