"""The plots show the numbers of the run."""

from pathlib import Path

import keras
import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection, PathCollection
from matplotlib.container import BarContainer
from matplotlib.legend import Legend
from matplotlib.lines import Line2D
from matplotlib.patches import Rectangle, StepPatch
from numpy.typing import NDArray
from sklearn.preprocessing import StandardScaler

from lambda_app.model.interval import IntervalCalibration
from problem.table import TABLE
from training.coverage import draw_interval_coverage, estimate_share, measure_constant_margin
from training.data import load_rows
from training.fit import Curves, Ensemble, Schedule
from training.network import MEMBERS, build_ensemble, build_members
from training.plots import (
    draw_feature_importance,
    draw_learning_curves,
    draw_plots,
    draw_predictions,
    draw_residuals,
)
from training.run import TrainingRun
from training.validate import Validation, score

PATIENTS, PERMUTATIONS, EPOCHS = 100, 4, 6
NOMINAL = 0.9


@pytest.fixture(scope="module")
def validation() -> Validation:
    """Patients whose errors grow with the prediction; every seventh is outside an interval of his own width."""
    generator = np.random.default_rng(7)
    predicted = generator.permutation(np.linspace(60, 280, PATIENTS))
    residuals = generator.normal(0, predicted / 5)
    margins = np.abs(residuals) * np.where(np.arange(PATIENTS) % 7 == 0, 0.5, 1.5)
    intervals = predicted[:, np.newaxis] + np.column_stack([-margins, margins])
    importance = generator.normal(np.arange(10)[::-1, np.newaxis] * 2, 0.1, (10, PERMUTATIONS))
    return Validation(predicted + residuals, predicted, intervals, predicted, importance, np.zeros(PATIENTS, bool))


@pytest.fixture(scope="module")
def network() -> keras.Model:
    """Not trained, with lipid fractions that mix s2 into the members' place of s1."""
    fractions = np.eye(len(TABLE.features))
    fractions[TABLE.names.index("s2"), TABLE.names.index("s1")] = -3
    return build_ensemble(fractions, 150.0, 77.0, build_members(MEMBERS).get_weights())


@pytest.fixture(scope="module")
def errors() -> NDArray[np.float64]:
    """RMSE by part, epoch and member."""
    return np.random.default_rng(3).uniform(50, 80, (2, EPOCHS, MEMBERS))


def test_a_run_gets_five_pictures(
    validation: Validation, network: keras.Model, errors: NDArray[np.float64], tmp_path: Path
) -> None:
    ensemble = Ensemble(StandardScaler(), network, validation.predicted, IntervalCalibration(NOMINAL, []))
    curves = Curves(errors[0], errors[1], np.full(EPOCHS, 0.01), EPOCHS)
    draw_plots(tmp_path, TrainingRun(load_rows(), 1, EPOCHS, Schedule.COSINE, ensemble, curves, validation, 1.0))
    assert {path.name for path in tmp_path.iterdir()} == {
        "feature_importance.png",
        "interval_coverage.png",
        "learning_curves.png",
        "predicted_vs_actual.png",
        "residuals.png",
    }
    for path in tmp_path.iterdir():
        assert path.read_bytes().startswith(b"\x89PNG")


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


def test_importance_is_the_mean_over_the_permutations_in_order(validation: Validation) -> None:
    figure = draw_feature_importance(validation.importance)
    [axes] = figure.axes
    means = validation.importance.mean(axis=1)
    np.testing.assert_allclose(_widths(axes), np.sort(means))
    assert _read_legend(axes.get_legend()) == [f"Each of {PERMUTATIONS} shuffles among held-out patients", "Mean"]
    assert figure.get_supxlabel().count(".") == 1, "the footnote is one sentence"
    names = [label.get_text().rsplit("(", 1)[1].rstrip(")") for label in axes.get_yticklabels()]
    assert names == [TABLE.names[position] for position in np.argsort(means)]


def test_every_permutation_is_a_dot_beside_its_bar(validation: Validation) -> None:
    axes = draw_feature_importance(validation.importance).axes[0]
    across, rows = _points(axes)[0].reshape(10, PERMUTATIONS, 2).transpose(2, 0, 1)
    np.testing.assert_allclose(across, validation.importance[np.argsort(validation.importance.mean(axis=1))])
    np.testing.assert_array_equal(rows, np.tile(np.arange(10)[:, np.newaxis], PERMUTATIONS))


def test_learning_curves_show_every_member_their_mean_and_the_rate(errors: NDArray[np.float64]) -> None:
    rates = np.linspace(0.01, 0, EPOCHS)
    figure = draw_learning_curves(Curves(errors[0], errors[1], rates, kept_epoch=EPOCHS))
    axes, rate_axes = figure.axes
    lines = [np.asarray(line.get_ydata()) for line in axes.get_lines()]
    np.testing.assert_allclose(lines[: 2 * MEMBERS], errors.transpose(0, 2, 1).reshape(-1, EPOCHS))
    np.testing.assert_allclose(lines[2 * MEMBERS :], errors.mean(axis=2))
    np.testing.assert_allclose(np.asarray(rate_axes.get_lines()[0].get_ydata()), rates)
    assert _read_legend(figure.legends[0]) == [
        "Patients it learned from",
        "Patients it left out",
        "Learning rate",
    ]
    assert f"{MEMBERS} members" in axes.get_title()


def test_learning_curves_mark_the_kept_epoch_when_it_is_not_the_last(errors: NDArray[np.float64]) -> None:
    figure = draw_learning_curves(Curves(errors[0], errors[1], np.full(EPOCHS, 0.01), kept_epoch=2))
    assert list(np.asarray(figure.axes[0].get_lines()[-1].get_xdata())) == [2, 2]
    assert "Epoch 2, kept" in _read_legend(figure.legends[0])


def test_patients_are_drawn_with_their_intervals_by_whether_they_hold_the_truth(validation: Validation) -> None:
    axes = draw_predictions(validation, NOMINAL).axes[0]
    for points, bars, chosen in zip(_points(axes), _bars(axes), (validation.covered, ~validation.covered), strict=True):
        np.testing.assert_allclose(points, np.column_stack([validation.predicted, validation.actual])[chosen])
        np.testing.assert_allclose(bars[:, :, 0], np.repeat(validation.predicted[chosen, np.newaxis], 2, axis=1))
        np.testing.assert_allclose(bars[:, :, 1], validation.intervals[chosen])
    np.testing.assert_array_equal(*axes.get_lines()[0].get_data())
    assert _read_legend(axes.get_legend()) == [
        "90 % interval holds the truth: 85 patients",
        "90 % interval misses the truth: 15 patients",
        "Perfect prediction",
    ]


def test_title_of_the_predictions_has_their_scores(validation: Validation) -> None:
    scores = score(validation.actual, validation.predicted)
    title = draw_predictions(validation, NOMINAL).axes[0].get_title()
    assert title == (f"100 held-out patients\nRMSE {scores.rmse:.1f} · MAE {scores.mae:.1f} · R² {scores.r2:.2f}")


def test_residuals_have_a_band_that_holds_the_middle_of_each_fifth(validation: Validation) -> None:
    axes = draw_residuals(validation).axes[0]
    residuals = validation.actual - validation.predicted
    np.testing.assert_allclose(_points(axes)[0], np.column_stack([validation.predicted, residuals]))
    [band] = [patch for patch in axes.patches if isinstance(patch, StepPatch)]
    upper, edges, baseline = band.get_data()
    lower = np.asarray(baseline)
    for fifth, positions in enumerate(np.argsort(validation.predicted).reshape(5, 20)):
        assert edges[fifth] == validation.predicted[positions].min()
        assert np.count_nonzero((lower[fifth] <= residuals[positions]) & (residuals[positions] <= upper[fifth])) == 18
    assert edges[-1] == validation.predicted.max()


def test_histogram_counts_every_residual_and_the_title_says_how_far_off(validation: Validation) -> None:
    figure = draw_residuals(validation)
    assert sum(_widths(figure.axes[1])) == PATIENTS
    assert figure.axes[0].get_ylim() == figure.axes[1].get_ylim()
    half, most = np.quantile(np.abs(validation.actual - validation.predicted), (0.5, 0.9))
    assert figure.get_suptitle() == (
        f"100 held-out patients: half predicted to within {half:.0f}, nine in ten to within {most:.0f}"
    )


def test_coverage_and_width_are_drawn_by_thirds_of_the_prediction(validation: Validation) -> None:
    figure = draw_interval_coverage(validation, NOMINAL)
    left, right = figure.axes
    thirds = np.array_split(np.argsort(validation.predicted), 3)
    shares = [validation.covered[third].mean() for third in thirds]
    np.testing.assert_allclose(_heights_of_line(left, "o"), shares)
    widths = np.diff(validation.intervals, axis=1)[:, 0]
    [bars] = [container for container in right.containers if isinstance(container, BarContainer)]
    np.testing.assert_allclose([bar.get_height() for bar in bars], [widths[third].mean() for third in thirds])
    segments = _bars(left)[0]
    np.testing.assert_allclose(
        segments[:, :, 1], [estimate_share(s, len(t)) for s, t in zip(shares, thirds, strict=True)]
    )
    assert list(np.asarray(left.get_lines()[0].get_ydata())) == [NOMINAL] * 2
    assert figure.get_suptitle() == "85.0 % of 100 held-out patients are in their 90 % interval"


def test_constant_width_keeps_the_promise_overall_but_not_for_each_third(validation: Validation) -> None:
    margin = measure_constant_margin(validation, NOMINAL)
    errors = np.abs(validation.actual - validation.predicted)
    assert margin == np.sort(errors)[90]
    figure = draw_interval_coverage(validation, NOMINAL)
    left, right = figure.axes
    assert list(np.asarray(right.get_lines()[-1].get_ydata())) == [2 * margin] * 2
    assert _read_legend(figure.legends[0]) == [
        "Promised, 90 %",
        "The model's intervals",
        f"One width for all, ±{margin:.0f}",
    ]
    thirds = np.array_split(np.argsort(validation.predicted), 3)
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


def _read_legend(legend: Legend | None) -> list[str]:
    assert legend is not None
    return [text.get_text() for text in legend.get_texts()]
