"""The plots show the numbers of the run."""

import numpy as np
from matplotlib.patches import Rectangle

from training.data import Split
from training.evaluate import evaluate_model
from training.fit import Model
from training.plots import draw_feature_importance, draw_learning_curves, draw_predictions


def test_importance_bars_are_the_mean_absolute_weights_in_order(quick_model: Model) -> None:
    axes = draw_feature_importance(quick_model).axes[0]
    widths = [patch.get_width() for patch in axes.patches if isinstance(patch, Rectangle)]
    weights = np.abs(quick_model.network.get_weights()[0]).mean(axis=1)
    np.testing.assert_allclose(widths, sorted(weights))
    labels = [label.get_text() for label in axes.get_yticklabels()]
    assert len(set(labels)) == 10
    assert labels[0].endswith(f"({['age', 'sex', 'bmi', 'bp', *(f's{n}' for n in range(1, 7))][weights.argmin()]})")


def test_learning_curves_show_both_errors_the_rate_and_the_best_epoch(quick_model: Model) -> None:
    errors, rates = draw_learning_curves(quick_model).axes
    training, validation, best = errors.get_lines()
    np.testing.assert_allclose(np.asarray(training.get_ydata()), quick_model.history["mae"])
    np.testing.assert_allclose(np.asarray(validation.get_ydata()), quick_model.history["val_mae"])
    assert list(np.asarray(best.get_xdata())) == [quick_model.best_epoch] * 2
    np.testing.assert_allclose(np.asarray(rates.get_lines()[0].get_ydata()), quick_model.history["learning_rate"])
    assert rates.get_yscale() == "log"


def test_predictions_are_drawn_against_the_diagonal_with_their_errors(quick_model: Model, split: Split) -> None:
    evaluation = evaluate_model(quick_model, split.held_out)
    axes = draw_predictions(evaluation).axes[0]
    points = np.asarray(axes.collections[0].get_offsets())
    np.testing.assert_allclose(points, np.column_stack([evaluation.actual, evaluation.predicted]))
    np.testing.assert_array_equal(*axes.get_lines()[0].get_data())
    for number in (f"RMSE {evaluation.rmse:.1f}", f"MAE {evaluation.mae:.1f}", f"R² {evaluation.r2:.2f}"):
        assert number in axes.get_title()
