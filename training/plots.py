"""The pictures of a training run, one PNG each: its first-layer weights, how it learned, how well it predicts."""

from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine

from lambda_app.features import FEATURES
from training.run import TrainingRun

TARGET = "Disease progression after one year"
BLUE, ORANGE, GREEN, GREY = "#1f5fa8", "#d9730d", "#3f8f5b", "#6b7280"
TITLE_POINTS, LABEL_POINTS = 14, 11
DOTS_PER_INCH = 150


def draw_plots(directory: Path, run: TrainingRun) -> None:
    """Write the plots."""


def start_figure(width_inches: float, height_inches: float) -> tuple[Figure, Axes]:
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
