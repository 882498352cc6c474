"""The plots show the numbers of the run, and no text is cut off."""

import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection, PathCollection
from matplotlib.container import BarContainer
from matplotlib.lines import Line2D
from matplotlib.patches import Rectangle, StepPatch
from numpy.typing import NDArray

from problem.table import TABLE
from training.coverage import draw_interval_coverage, estimate_share, measure_constant_margin
from training.fit import Curves
from training.network import MEMBERS
from training.plots import draw_feature_importance, draw_learning_curves, draw_predictions, draw_residuals
from training.validate import Validation, score

PATIENTS, PERMUTATIONS, EPOCHS = 100, 4, 6
NOMINAL = 0.9


@pytest.fixture(scope="module")
def validation() -> Validation:
    """Return patients whose errors grow with the prediction. Every seventh is outside the interval."""
    generator = np.random.default_rng(7)
    predicted = generator.permutation(np.linspace(60, 280, PATIENTS))
    residuals = generator.normal(0, predicted / 5)
    margins = np.abs(residuals) * np.where(np.arange(PATIENTS) % 7 == 0, 0.5, 1.5)
    intervals = predicted[:, np.newaxis] + np.column_stack([-margins, margins])
    importance = generator.normal(np.arange(10)[::-1, np.newaxis] * 2, 0.1, (10, PERMUTATIONS))
    return Validation(predicted + residuals, predicted, intervals, predicted, importance, np.zeros(PATIENTS, bool))


@pytest.fixture(scope="module")
def errors() -> NDArray[np.float64]:
    """RMSE by part, epoch and member."""
    return np.random.default_rng(3).uniform(50, 80, (2, EPOCHS, MEMBERS))


def test_no_text_of_a_picture_runs_over_its_edge_and_every_axis_has_its_name(
    validation: Validation, errors: NDArray[np.float64]
) -> None:
    for figure in (
        draw_feature_importance(validation.importance),
        draw_learning_curves(Curves(errors[0], errors[1], np.full(EPOCHS, 0.01), kept_epoch=2)),
        draw_predictions(validation, NOMINAL),
        draw_residuals(validation),
        draw_interval_coverage(validation, NOMINAL),
    ):
        figure.draw_without_rendering()
        labels = [part for axes in figure.axes for part in (axes.title, axes.xaxis.label, axes.yaxis.label)]
        for part in (*figure.texts, *labels, *figure.legends):
            box = part.get_window_extent()
            assert figure.bbox.contains(*box.min), part
            assert figure.bbox.contains(*box.max), part
        assert all(axes.get_xlabel() for axes in figure.axes if axes.xaxis.get_visible())


def test_importance_has_a_bar_with_the_mean_and_a_dot_for_each_permutation(validation: Validation) -> None:
    [axes] = draw_feature_importance(validation.importance).axes
    means = validation.importance.mean(axis=1)
    order = np.argsort(means)
    np.testing.assert_allclose(_widths(axes), means[order])
    names = [label.get_text().rsplit("(", 1)[1].rstrip(")") for label in axes.get_yticklabels()]
    assert names == [TABLE.names[position] for position in order]
    dots = _points(axes)[0].reshape(10, PERMUTATIONS, 2)
    np.testing.assert_allclose(dots[:, :, 0], validation.importance[order])
    np.testing.assert_array_equal(dots[:, :, 1], np.tile(np.arange(10)[:, np.newaxis], PERMUTATIONS))


@pytest.mark.parametrize("kept_epoch", [2, EPOCHS])
def test_learning_curves_show_each_member_the_mean_the_rate_and_an_early_end(
    kept_epoch: int, errors: NDArray[np.float64]
) -> None:
    rates = np.linspace(0.01, 0, EPOCHS)
    figure = draw_learning_curves(Curves(errors[0], errors[1], rates, kept_epoch))
    axes, rate_axes = figure.axes
    lines = [np.asarray(line.get_ydata()) for line in axes.get_lines()]
    np.testing.assert_allclose(lines[: 2 * MEMBERS], errors.transpose(0, 2, 1).reshape(-1, EPOCHS))
    np.testing.assert_allclose(lines[2 * MEMBERS : 2 * MEMBERS + 2], errors.mean(axis=2))
    np.testing.assert_allclose(np.asarray(rate_axes.get_lines()[0].get_ydata()), rates)
    labels = [text.get_text() for text in figure.legends[0].get_texts()]
    assert ("Epoch 2, kept" in labels) == (kept_epoch == 2)


def test_predictions_are_drawn_with_their_intervals_and_scores(validation: Validation) -> None:
    axes = draw_predictions(validation, NOMINAL).axes[0]
    for points, bars, chosen in zip(_points(axes), _bars(axes), (validation.covered, ~validation.covered), strict=True):
        np.testing.assert_allclose(points, np.column_stack([validation.predicted, validation.actual])[chosen])
        np.testing.assert_allclose(bars[:, :, 1], validation.intervals[chosen])
    scores = score(validation.actual, validation.predicted)
    assert f"RMSE {scores.rmse:.1f} · MAE {scores.mae:.1f} · R² {scores.r2:.2f}" in axes.get_title()
    legend = axes.get_legend()
    assert legend
    assert "90 % interval misses the truth: 15 patients" in [text.get_text() for text in legend.get_texts()]


def test_residuals_have_a_band_that_holds_the_middle_of_each_fifth(validation: Validation) -> None:
    figure = draw_residuals(validation)
    axes, histogram = figure.axes
    residuals = validation.actual - validation.predicted
    np.testing.assert_allclose(_points(axes)[0], np.column_stack([validation.predicted, residuals]))
    [band] = [patch for patch in axes.patches if isinstance(patch, StepPatch)]
    upper, _, baseline = band.get_data()
    lower = np.asarray(baseline)
    for fifth, positions in enumerate(np.argsort(validation.predicted).reshape(5, 20)):
        assert np.count_nonzero((lower[fifth] <= residuals[positions]) & (residuals[positions] <= upper[fifth])) == 18
    assert sum(_widths(histogram)) == PATIENTS
    half, most = np.quantile(np.abs(residuals), (0.5, 0.9))
    assert f"half predicted to within {half:.0f}, nine in ten to within {most:.0f}" in figure.get_suptitle()


def test_coverage_and_width_are_drawn_by_thirds_beside_one_width_for_all(validation: Validation) -> None:
    figure = draw_interval_coverage(validation, NOMINAL)
    left, right = figure.axes
    thirds = np.array_split(np.argsort(validation.predicted), 3)
    np.testing.assert_allclose(_heights_of_line(left, "o"), [validation.covered[third].mean() for third in thirds])
    widths = np.diff(validation.intervals, axis=1)[:, 0]
    [bars] = [container for container in right.containers if isinstance(container, BarContainer)]
    np.testing.assert_allclose([bar.get_height() for bar in bars], [widths[third].mean() for third in thirds])
    assert figure.get_suptitle() == "85.0 % of 100 held-out patients are in their 90 % interval"

    margin = measure_constant_margin(validation, NOMINAL)
    errors = np.abs(validation.actual - validation.predicted)
    assert margin == np.sort(errors)[90]
    assert list(np.asarray(right.get_lines()[-1].get_ydata())) == [2 * margin] * 2
    np.testing.assert_allclose(_heights_of_line(left, "D"), [(errors[third] <= margin).mean() for third in thirds])


def test_share_has_wilsons_interval() -> None:
    # Newcombe, "Two-sided confidence intervals for the single proportion", Statistics in Medicine 17 (1998).
    np.testing.assert_allclose(estimate_share(81 / 263, 263), (0.2553, 0.3662), atol=5e-5)
    np.testing.assert_allclose(estimate_share(1, 29), (0.8830, 1), atol=5e-5)


def _widths(axes: Axes) -> list[float]:
    return [patch.get_width() for patch in axes.patches if isinstance(patch, Rectangle)]


def _points(axes: Axes) -> list[NDArray[np.float64]]:
    return [np.asarray(group.get_offsets()) for group in axes.collections if isinstance(group, PathCollection)]


def _bars(axes: Axes) -> list[NDArray[np.float64]]:
    """Ends of vertical lines, (lines, 2, 2), group by group."""
    return [np.array(group.get_segments()) for group in axes.collections if isinstance(group, LineCollection)]


def _heights_of_line(axes: Axes, marker: str) -> NDArray[np.float64]:
    [line] = [line for line in axes.get_lines() if isinstance(line, Line2D) and line.get_marker() == marker]
    return np.asarray(line.get_ydata())
