"""The common style of all plots of a training run."""

from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine

# Colour-blind people can tell these colours apart. Where it matters, shape or place differ too.
BLUE, PALE_BLUE, ORANGE, GREEN, GREY = "#1f5fa8", "#a3bcdb", "#d9730d", "#3f8f5b", "#6b7280"
TITLE_POINTS, LABEL_POINTS, NOTE_POINTS = 14, 11, 9.5
DOTS_PER_INCH = 150
# Above points and lines, so that they do not hide it.
BARE_LEGEND = {"edgecolor": "none", "framealpha": 0.9}


def start_figure(
    width_inches: float, height_inches: float, panels: Sequence[float] = (1,), *, share_y: bool = False
) -> tuple[Figure, list[Axes]]:
    """Create a figure with panels side by side, in the given proportions."""
    # Without pyplot: it needs no display, has no global state, and nothing to close.
    figure = Figure(figsize=(width_inches, height_inches), layout=ConstrainedLayoutEngine(w_pad=0.12, h_pad=0.12))
    all_axes: list[Axes] = list(figure.subplots(1, len(panels), squeeze=False, sharey=share_y, width_ratios=panels)[0])
    for axes in all_axes:
        axes.spines[["top", "right"]].set_visible(False)
        axes.grid(visible=True, color="#e5e7eb")
        axes.set_axisbelow(True)
        axes.title.set_fontsize(LABEL_POINTS + 1 if len(panels) > 1 else TITLE_POINTS)
        axes.xaxis.label.set_fontsize(LABEL_POINTS)
        axes.yaxis.label.set_fontsize(LABEL_POINTS)
    return figure, all_axes
