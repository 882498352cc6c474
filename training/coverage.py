"""Draws coverage and width of the intervals by thirds of the prediction."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter
from numpy.typing import NDArray

from problem.table import TABLE
from training.calibrate import find_constant_margin
from training.figure import BLUE, GREY, ORANGE, TITLE_POINTS, start_figure
from training.rounding import count_decimals, format_figure
from training.validate import Validation, find_covered, split_by_prediction

STANDARD_ERRORS = 1.96  # to either side, for 95 %


def draw_interval_coverage(validation: Validation, nominal: float) -> Figure:
    """Draw coverage and width of the intervals for low, middle and high predictions.

    For comparison, it shows intervals of one width, by split conformal prediction on the same residuals. Only rows with
    a promised coverage count.
    """
    validation = validation.promised
    thirds = split_by_prediction(validation.predicted, 3)
    places = np.arange(float(len(thirds)))
    margin = measure_constant_margin(validation, nominal)
    around = validation.predicted[:, np.newaxis] + [-margin, margin]
    figure, (left, right) = start_figure(10, 5.4, (1, 1))
    left.axhline(nominal, color="black", linestyle="--", linewidth=1, label=f"Promised, {100 * nominal:.0f} %")
    _draw_shares(left, places - 0.1, validation.covered, thirds, BLUE, "o", "The model's intervals")
    label = f"One width for all, ±{format_figure(margin, 2)}"
    _draw_shares(left, places + 0.1, find_covered(validation.actual, around), thirds, ORANGE, "D", label)
    left.set(xlim=(-0.5, len(thirds) - 0.5), ylim=(None, 1))
    left.yaxis.set_major_formatter(PercentFormatter(1, decimals=0, symbol=" %"))
    left.set_title("How often they hold the truth")
    left.set_ylabel(f"Share of {TABLE.cases}, with its 95 % interval")
    widths = np.diff(validation.intervals, axis=1)[:, 0]
    bars = right.bar(places, [widths[third].mean() for third in thirds], color=BLUE, width=0.6)
    right.bar_label(bars, fmt=lambda width: format_figure(width, 3), padding=3, color=GREY)
    right.axhline(2 * margin, color=ORANGE, linewidth=2)
    right.margins(y=0.1)
    right.set_title("How wide they are")
    right.set_ylabel(f"Mean width ({TABLE.target.unit})")
    decimals = count_decimals(float(np.ptp(validation.predicted)), 3)
    ends = [
        f"{validation.predicted[third].min():.{decimals}f} to {validation.predicted[third].max():.{decimals}f}"
        for third in thirds
    ]
    for axes in (left, right):
        axes.set_xticks(places, ends)
        axes.grid(visible=False, axis="x")
        axes.set_xlabel(f"Prediction ({TABLE.target.unit}), in thirds of the {TABLE.cases}")
    covered = float(validation.covered.mean())
    figure.suptitle(
        f"{100 * covered:.1f} % of {len(widths)} held-out {TABLE.cases} are in their {100 * nominal:.0f} % interval",
        fontsize=TITLE_POINTS,
    )
    figure.legend(loc="outside lower center", ncols=3, frameon=False)
    return figure


def measure_constant_margin(validation: Validation, nominal: float) -> float:
    """Half of the constant width with the promised coverage: an absolute error, by conformal prediction."""
    return find_constant_margin(np.abs(validation.actual - validation.predicted), nominal)


def estimate_share(share: float, count: int) -> tuple[float, float]:
    """Wilson's 95 % interval for a share of `count` rows."""
    square = STANDARD_ERRORS**2 / count
    centre = share + square / 2
    margin = STANDARD_ERRORS * float(np.sqrt(share * (1 - share) / count + square / (4 * count)))
    return (centre - margin) / (1 + square), (centre + margin) / (1 + square)


def _draw_shares(
    axes: Axes,
    places: NDArray[np.float64],
    held: NDArray[np.bool_],
    groups: Sequence[NDArray[np.intp]],
    color: str,
    marker: str,
    label: str,
) -> None:
    """Draw the coverage of each group with its 95 % interval."""
    shares = np.array([held[group].mean() for group in groups])
    ends = np.array([estimate_share(share, len(group)) for share, group in zip(shares, groups, strict=True)])
    axes.errorbar(places, shares, np.abs(ends.T - shares), fmt=marker, color=color, capsize=4, label=label)
