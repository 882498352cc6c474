"""The pictures of a training run, one PNG each: its first-layer weights, how it learned, how well it predicts."""

from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.ticker import FixedLocator, FormatStrFormatter, MaxNLocator, NullLocator

from lambda_app.features import FEATURES
from training.evaluate import Evaluation
from training.fit import Model

TARGET = "Disease progression after one year"
BLUE, ORANGE, GREEN, GREY = "#1f5fa8", "#d9730d", "#3f8f5b", "#6b7280"
TITLE_POINTS, LABEL_POINTS = 14, 11
DOTS_PER_INCH = 150


def draw_plots(directory: Path, model: Model, evaluation: Evaluation) -> None:
    """Write the three plots."""
    figures = {
        "feature_importance.png": draw_feature_importance(model),
        "learning_curves.png": draw_learning_curves(model),
        "predicted_vs_actual.png": draw_predictions(evaluation),
    }
    for name, figure in figures.items():
        figure.savefig(directory / name, dpi=DOTS_PER_INCH)


def draw_feature_importance(model: Model) -> Figure:
    """Mean absolute weight from each measurement into the first layer: comparable, because the inputs are scaled.

    A rough guide: it does not see what later layers make of a measurement, nor that measurements go together.
    """
    weights = np.abs(model.network.get_layer("hidden_1").kernel.numpy()).mean(axis=1)
    order = np.argsort(weights)
    figure, axes = _start_figure(8.5, 5.2)
    bars = axes.barh([_label(position) for position in order], weights[order], color=BLUE, height=0.7)
    axes.bar_label(bars, fmt="%.3f", padding=4, color=GREY)
    axes.set_xlabel("Mean absolute weight, per standard deviation")
    axes.set_title("Feature importance by first-layer weights", fontsize=TITLE_POINTS)
    axes.margins(x=0.1)
    axes.grid(visible=False)
    return figure


def draw_learning_curves(model: Model) -> Figure:
    """MAE by epoch, with the learning rate on a second, logarithmic axis."""
    epochs = range(1, len(model.history["mae"]) + 1)
    figure, axes = _start_figure(8.5, 5)
    axes.plot(epochs, model.history["mae"], color=BLUE, label="Training, with dropout")
    axes.plot(epochs, model.history["val_mae"], color=ORANGE, label="Validation")
    best_label = f"Epoch {model.best_epoch}, kept: lowest validation loss"
    axes.axvline(model.best_epoch, color=GREY, linestyle="--", label=best_label)
    axes.set_xlabel("Epoch")
    axes.set_ylabel("Mean absolute error (units of disease progression)")
    axes.set_ylim(bottom=0)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, steps=[1, 2, 5, 10]))
    axes.set_title("How the network learned", fontsize=TITLE_POINTS)
    rate_axes = axes.twinx()
    rates = model.history["learning_rate"]
    rate_axes.step(epochs, rates, where="post", color=GREEN, linewidth=1.2, label="Learning rate")
    rate_axes.set_yscale("log")
    rate_axes.set_ylabel("Learning rate", color=GREEN, fontsize=LABEL_POINTS)
    rate_axes.set_ylim(min(rates) / 3, max(rates) * 1.5)
    # The rates that were used, not a logarithmic axis's own: there are few, each half of the one before.
    rate_axes.yaxis.set_major_locator(FixedLocator(sorted(set(rates))))
    rate_axes.yaxis.set_major_formatter(FormatStrFormatter("%.2g"))
    rate_axes.yaxis.set_minor_locator(NullLocator())
    rate_axes.tick_params(colors=GREEN)
    rate_axes.spines[["top", "left"]].set_visible(False)
    lines = [*axes.get_lines(), *rate_axes.get_lines()]
    axes.legend(handles=lines, frameon=False)
    return figure


def draw_predictions(evaluation: Evaluation) -> Figure:
    """Held-out patients around the diagonal, on which a perfect model would put them."""
    both = np.concatenate([evaluation.actual, evaluation.predicted])
    limits = (min(0.0, both.min() - 10), both.max() + 10)
    figure, axes = _start_figure(6.5, 6.5)
    axes.plot(limits, limits, color=GREY, linestyle="--", label="Perfect prediction")
    axes.scatter(
        evaluation.actual, evaluation.predicted, color=BLUE, alpha=0.7, edgecolor="white", label="Held-out patient"
    )
    axes.set(xlim=limits, ylim=limits, aspect="equal")
    axes.set_xlabel(f"{TARGET}, actual")
    axes.set_ylabel(f"{TARGET}, predicted")
    axes.set_title(
        f"{len(evaluation.actual)} held-out patients\n"
        f"RMSE {evaluation.rmse:.1f} · MAE {evaluation.mae:.1f} · R² {evaluation.r2:.2f}",
        fontsize=TITLE_POINTS,
    )
    axes.legend(frameon=False, loc="upper left")
    return figure


def _start_figure(width_inches: float, height_inches: float) -> tuple[Figure, Axes]:
    # A Figure of its own, not pyplot's: no display, no global state, nothing to close.
    figure = Figure(figsize=(width_inches, height_inches), layout=ConstrainedLayoutEngine(w_pad=0.12, h_pad=0.12))
    axes = figure.add_subplot()
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(visible=True, color="#e5e7eb")
    axes.set_axisbelow(True)
    axes.xaxis.label.set_fontsize(LABEL_POINTS)
    axes.yaxis.label.set_fontsize(LABEL_POINTS)
    return figure, axes


def _label(position: int) -> str:
    feature = FEATURES[position]
    meaning = feature.meaning.split(",")[0]
    return f"{meaning} ({feature.name})"
