"""Draws the plots of a training run, one PNG each: importance, learning curves, predictions, residuals, coverage."""

import math
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from problem.table import TABLE
from training.coverage import draw_interval_coverage
from training.figure import (
    BARE_LEGEND,
    BLUE,
    DOTS_PER_INCH,
    GREEN,
    GREY,
    LABEL_POINTS,
    NOTE_POINTS,
    ORANGE,
    PALE_BLUE,
    TITLE_POINTS,
    start_figure,
)
from training.fit import Curves
from training.rounding import choose_bin_edges, format_figure
from training.run import TrainingRun
from training.validate import Validation, score, split_by_prediction

# More points would hide each other.
MOST_POINTS = 1_000


def draw_plots(directory: Path, run: TrainingRun) -> None:
    """Write the five plots."""
    nominal = run.ensemble.calibration.coverage
    figures = {
        "feature_importance.png": draw_feature_importance(run.validation.importance),
        "learning_curves.png": draw_learning_curves(run.curves),
        "predicted_vs_actual.png": draw_predictions(run.validation, nominal),
        "residuals.png": draw_residuals(run.validation),
        "interval_coverage.png": draw_interval_coverage(run.validation, nominal),
    }
    for name, figure in figures.items():
        figure.savefig(directory / name, dpi=DOTS_PER_INCH)


def draw_feature_importance(importance: NDArray[np.float64]) -> Figure:
    """Draw the importance of the features, (features, permutations), the most important on top."""
    means = importance.mean(axis=1)
    order = np.argsort(means)
    rows = np.arange(len(order))
    figure, [axes] = start_figure(9, 5.2)
    axes.barh(rows, means[order], color=PALE_BLUE, height=0.7, label="Mean")
    axes.scatter(
        importance[order],
        np.broadcast_to(rows[:, np.newaxis], importance.shape),
        s=9,
        color=BLUE,
        alpha=0.6,
        label=f"Each of {importance.shape[1]} shuffles among held-out {TABLE.cases}",
    )
    axes.axvline(0, color=GREY, linewidth=0.8)
    axes.set_yticks(rows, [_label(position) for position in order])
    figure.suptitle("How much worse the predictions get without a feature", fontsize=TITLE_POINTS)
    axes.set_xlabel(f"Rise of the RMSE ({TABLE.target.unit})")
    axes.legend(loc="lower right", **BARE_LEGEND)
    axes.grid(visible=False, axis="y")
    figure.supxlabel(
        "Where features follow from each other, shuffling one of them alone may overstate it.",
        fontsize=NOTE_POINTS,
        color=GREY,
    )
    return figure


def draw_learning_curves(curves: Curves) -> Figure:
    """RMSE of every member and their mean by epoch, with the learning rate on a second axis."""
    epochs = np.arange(1, len(curves.learning_rates) + 1)
    figure, [axes] = start_figure(8.5, 5)
    parts = (
        (curves.learned, BLUE, f"{TABLE.cases.capitalize()} it learned from"),
        (curves.left_out, ORANGE, f"{TABLE.cases.capitalize()} it left out"),
    )
    for errors, color, _ in parts:
        axes.plot(epochs, errors, color=color, linewidth=0.6, alpha=0.3)
    handles = [
        axes.plot(epochs, errors.mean(axis=1), color=color, linewidth=2.5, label=name)[0]
        for errors, color, name in parts
    ]
    if curves.kept_epoch < len(epochs):
        label = f"Epoch {curves.kept_epoch}, kept"
        handles.append(axes.axvline(curves.kept_epoch, color="black", linestyle="--", linewidth=1, label=label))
    axes.set_xlabel(f"Epoch (once through the {TABLE.cases})")
    axes.set_ylabel(f"RMSE ({TABLE.target.unit})")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, steps=[1, 2, 5, 10]))
    members = curves.learned.shape[1]
    axes.set_title(f"How the {members} members learned: each one thin, their mean thick", fontsize=TITLE_POINTS)
    rate_axes = axes.twinx()
    handles += rate_axes.plot(
        epochs, curves.learning_rates, color=GREEN, linestyle=":", linewidth=2, label="Learning rate"
    )
    rate_axes.set_ylabel("Learning rate", color=GREEN, fontsize=LABEL_POINTS)
    rate_axes.set_ylim(bottom=0)
    rate_axes.tick_params(colors=GREEN)
    rate_axes.spines[["top", "left"]].set_visible(False)
    figure.legend(handles=handles, loc="outside lower center", ncols=len(handles), frameon=False)
    return figure


def draw_predictions(validation: Validation, nominal: float) -> Figure:
    """Draw held-out rows and their intervals. Perfect predictions would be on the diagonal.

    The prediction is on the horizontal axis, so a row outside its interval is a point outside its bar.
    """
    actual, predicted, drawn = validation.actual, validation.predicted, _choose_points(len(validation.actual))
    figure, [axes] = start_figure(7.5, 7.5)
    for chosen, color, marker, name in (
        (validation.covered, BLUE, "o", "holds"),
        (~validation.covered, ORANGE, "D", "misses"),
    ):
        label = f"{100 * nominal:.0f} % interval {name} the truth: {np.count_nonzero(chosen)} {TABLE.cases}"
        shown = chosen & drawn
        axes.vlines(predicted[shown], *validation.intervals[shown].T, color=color, linewidth=0.8, alpha=0.25)
        axes.scatter(
            predicted[shown], actual[shown], s=22, color=color, marker=marker, edgecolor="white", lw=0.5, label=label
        )
    everything = np.concatenate([actual, predicted, validation.intervals.ravel()])
    margin = 0.02 * np.ptp(everything)
    limits = (everything.min() - margin, everything.max() + margin)
    axes.plot(limits, limits, color="black", linestyle="--", linewidth=1, label="Perfect prediction")
    axes.set(xlim=limits, ylim=limits, aspect="equal")
    axes.set_xlabel(f"Predicted: {TABLE.target.label}")
    axes.set_ylabel(f"Actual: {TABLE.target.label}")
    scores = score(actual, predicted)
    axes.set_title(
        f"{_count_rows(len(actual))}\n"
        f"RMSE {format_figure(scores.rmse, 3)} · MAE {format_figure(scores.mae, 3)} · R² {scores.r2:.2f}",
        fontsize=TITLE_POINTS,
    )
    axes.legend(loc="upper left", **BARE_LEGEND)
    return figure


def draw_residuals(validation: Validation) -> Figure:
    """Draw the residuals by prediction, with the middle 90 % of each fifth, and as a histogram."""
    residuals = validation.actual - validation.predicted
    fifths = split_by_prediction(validation.predicted, 5)
    lower, upper = np.array([np.quantile(residuals[fifth], (0.05, 0.95)) for fifth in fifths]).T
    edges = [*(validation.predicted[fifth].min() for fifth in fifths), validation.predicted.max()]
    figure, (left, right) = start_figure(10, 5.2, (3, 1), share_y=True)
    label = f"Middle 90 % of each fifth of the {TABLE.cases}"
    drawn = _choose_points(len(residuals))
    left.stairs(upper, edges, baseline=lower, fill=True, color=ORANGE, alpha=0.2, label=label)
    left.scatter(
        validation.predicted[drawn], residuals[drawn], s=20, color=BLUE, alpha=0.7, edgecolor="white", linewidth=0.5
    )
    left.set_xlabel(f"Predicted: {TABLE.target.label}")
    left.set_ylabel(f"Actual minus predicted ({TABLE.target.unit})")
    left.legend(loc="upper right", **BARE_LEGEND)
    farthest = float(np.abs(residuals).max())
    bins = choose_bin_edges(-farthest, farthest)
    right.hist(residuals, bins, orientation="horizontal", color=BLUE, edgecolor="white")
    right.set_xlabel(TABLE.cases.capitalize())
    right.tick_params(left=False)
    for axes in (left, right):
        axes.axhline(0, color="black", linestyle="--", linewidth=1)
    half, most = np.quantile(np.abs(residuals), (0.5, 0.9))
    figure.suptitle(
        f"{_count_rows(len(residuals))}: half predicted to within {format_figure(half, 2)}, "
        f"nine in ten to within {format_figure(most, 2)}",
        fontsize=TITLE_POINTS,
    )
    return figure


def _choose_points(count: int) -> NDArray[np.bool_]:
    """Return True for the rows to draw, (count,): all, or an evenly spread part if there are too many."""
    drawn: NDArray[np.bool_] = np.arange(count) % math.ceil(count / MOST_POINTS) == 0
    return drawn


def _count_rows(count: int) -> str:
    drawn = np.count_nonzero(_choose_points(count))
    return f"{count} held-out {TABLE.cases}" + (f" ({drawn} of them drawn)" if drawn < count else "")


def _label(position: int) -> str:
    feature = TABLE.features[position]
    meaning = feature.meaning.split(",")[0]
    return f"{meaning} ({feature.name})"
