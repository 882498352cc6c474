"""The pictures of a training run, one PNG each: what it goes by, how it learned, how far off it is."""

from pathlib import Path

import keras
import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from lambda_app.features import FEATURES
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
from training.run import TrainingRun
from training.validate import Validation, score, split_by_prediction

TARGET = "disease progression after one year"
BIN_WIDTH = 20


def draw_plots(directory: Path, run: TrainingRun) -> None:
    """Write the five plots."""
    nominal = run.ensemble.calibration.coverage
    figures = {
        "feature_importance.png": draw_feature_importance(run.validation.importance, run.ensemble.network),
        "learning_curves.png": draw_learning_curves(run.curves),
        "predicted_vs_actual.png": draw_predictions(run.validation, nominal),
        "residuals.png": draw_residuals(run.validation),
        "interval_coverage.png": draw_interval_coverage(run.validation, nominal),
    }
    for name, figure in figures.items():
        figure.savefig(directory / name, dpi=DOTS_PER_INCH)


def draw_feature_importance(importance: NDArray[np.float64], network: keras.Model) -> Figure:
    """What is lost without a measurement, (features, permutations), beside its weights, in one order."""
    means, weights = importance.mean(axis=1), measure_weights(network)
    order = np.argsort(means)
    rows = np.arange(len(order))
    figure, (left, right) = start_figure(11, 5.6, (1, 1), share_y=True)
    left.barh(rows, means[order], color=PALE_BLUE, height=0.7)
    left.scatter(importance[order], np.broadcast_to(rows[:, np.newaxis], importance.shape), s=9, color=BLUE, alpha=0.6)
    left.axvline(0, color=GREY, linewidth=0.8)
    left.set_yticks(rows, [_label(position) for position in order])
    left.set_title("Permuted among held-out patients")
    left.set_xlabel(f"RMSE grows by (dots: {importance.shape[1]} permutations)")
    bars = right.barh(rows, weights[order], color=ORANGE, height=0.7)
    right.bar_label(bars, fmt="%.2f", padding=4, color=GREY)
    right.margins(x=0.12)
    right.tick_params(left=False)
    right.set_title("Weights into the first hidden layer")
    right.set_xlabel("Mean absolute weight, per standard deviation")
    for axes in (left, right):
        axes.grid(visible=False, axis="y")
    figure.suptitle("Which measurements the model goes by", fontsize=TITLE_POINTS)
    figure.supxlabel(
        "The two need not agree: weights do not show what later layers make of a measurement, nor that measurements go"
        " together.\nTotal cholesterol, LDL and HDL do: their weights carry VLDL (s1 - s2 - s3), which varies little,"
        " and any of them permuted alone\ngives many patients an impossible VLDL. Both panels may overstate the three.",
        fontsize=NOTE_POINTS,
        color=GREY,
    )
    return figure


def measure_weights(network: keras.Model) -> NDArray[np.float64]:
    """Mean absolute weight of each measurement, (10,), over members and units of the first hidden layer.

    The layer "lipid_fractions" before it gives the members VLDL in place of total cholesterol. The product of the two
    kernels is what each measurement itself weighs; the measurements are scaled, so their weights compare.
    """
    fractions = network.get_layer("lipid_fractions").kernel.numpy()
    kernels = network.get_layer("hidden_1").kernel.numpy()
    weights: NDArray[np.float64] = np.abs(np.einsum("ji,mio->mjo", fractions, kernels)).mean(axis=(0, 2))
    return weights


def draw_learning_curves(curves: Curves) -> Figure:
    """RMSE of every member and their mean by epoch, with the learning rate on a second axis."""
    epochs = np.arange(1, len(curves.learning_rates) + 1)
    figure, [axes] = start_figure(8.5, 5)
    parts = ((curves.learned, BLUE, "Rows it learned"), (curves.left_out, ORANGE, "Fold it left out"))
    for errors, color, _ in parts:
        axes.plot(epochs, errors, color=color, linewidth=0.6, alpha=0.3)
    handles = [
        axes.plot(epochs, errors.mean(axis=1), color=color, linewidth=2.5, label=name)[0]
        for errors, color, name in parts
    ]
    if curves.kept_epoch < len(epochs):
        label = f"Epoch {curves.kept_epoch}, kept"
        handles.append(axes.axvline(curves.kept_epoch, color="black", linestyle="--", linewidth=1, label=label))
    axes.set_xlabel("Epoch")
    axes.set_ylabel("RMSE (units of disease progression)")
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
    """Held-out patients and their intervals around the diagonal, on which a perfect model would put them.

    The prediction is across: so a patient outside the interval is a point outside the bar.
    """
    actual, predicted = validation.actual, validation.predicted
    figure, [axes] = start_figure(7.5, 7.5)
    for chosen, color, marker, name in (
        (validation.covered, BLUE, "o", "holds"),
        (~validation.covered, ORANGE, "D", "misses"),
    ):
        label = f"{100 * nominal:.0f} % interval {name} the truth: {np.count_nonzero(chosen)} patients"
        axes.vlines(predicted[chosen], *validation.intervals[chosen].T, color=color, linewidth=0.8, alpha=0.25)
        axes.scatter(
            predicted[chosen], actual[chosen], s=22, color=color, marker=marker, edgecolor="white", lw=0.5, label=label
        )
    everything = np.concatenate([actual, predicted, validation.intervals.ravel()])
    limits = (min(0.0, everything.min() - 10), everything.max() + 10)
    axes.plot(limits, limits, color="black", linestyle="--", linewidth=1, label="Perfect prediction")
    axes.set(xlim=limits, ylim=limits, aspect="equal")
    axes.set_xlabel(f"Predicted {TARGET}")
    axes.set_ylabel(f"Actual {TARGET}")
    scores = score(actual, predicted)
    axes.set_title(
        f"{len(actual)} held-out patients\nRMSE {scores.rmse:.1f} · MAE {scores.mae:.1f} · R² {scores.r2:.2f}",
        fontsize=TITLE_POINTS,
    )
    axes.legend(loc="upper left", **BARE_LEGEND)
    return figure


def draw_residuals(validation: Validation) -> Figure:
    """How far off the predictions are: by the prediction, with the middle 90 % of each fifth, and how often."""
    residuals = validation.actual - validation.predicted
    fifths = split_by_prediction(validation.predicted, 5)
    lower, upper = np.array([np.quantile(residuals[fifth], (0.05, 0.95)) for fifth in fifths]).T
    edges = [*(validation.predicted[fifth].min() for fifth in fifths), validation.predicted.max()]
    figure, (left, right) = start_figure(10, 5.2, (3, 1), share_y=True)
    label = "Middle 90 % of each fifth of the patients"
    left.stairs(upper, edges, baseline=lower, fill=True, color=ORANGE, alpha=0.2, label=label)
    left.scatter(validation.predicted, residuals, s=20, color=BLUE, alpha=0.7, edgecolor="white", linewidth=0.5)
    left.set_xlabel(f"Predicted {TARGET}")
    left.set_ylabel("Actual minus predicted")
    left.legend(loc="upper right", **BARE_LEGEND)
    farthest = np.ceil(np.abs(residuals).max() / BIN_WIDTH) * BIN_WIDTH
    bins = np.arange(-farthest, farthest + BIN_WIDTH, BIN_WIDTH).tolist()
    right.hist(residuals, bins, orientation="horizontal", color=BLUE, edgecolor="white")
    right.set_xlabel("Patients")
    right.tick_params(left=False)
    for axes in (left, right):
        axes.axhline(0, color="black", linestyle="--", linewidth=1)
    half, most = np.quantile(np.abs(residuals), (0.5, 0.9))
    figure.suptitle(
        f"{len(residuals)} held-out patients: half predicted to within {half:.0f}, nine in ten to within {most:.0f}",
        fontsize=TITLE_POINTS,
    )
    return figure


def _label(position: int) -> str:
    feature = FEATURES[position]
    meaning = feature.meaning.split(",")[0]
    return f"{meaning} ({feature.name})"
