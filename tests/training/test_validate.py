"""Validation: every patient held out once, figures that are what they say, importance that finds what matters."""

import numpy as np
import pytest
from sklearn.linear_model import RidgeCV

from problem.table import TABLE
from training.data import Rows, hold_out
from training.validate import Validation, build_ridge, describe_intervals, describe_validation


def test_every_patient_is_held_out_once_the_same_way_each_time(rows: Rows) -> None:
    held_out = np.concatenate([positions for _, positions in hold_out(rows)])
    assert sorted(held_out) == list(range(442))
    assert [len(positions) for _, positions in hold_out(rows)] == [89, 89, 88, 88, 88]
    for (training, positions), (again, _) in zip(hold_out(rows), hold_out(rows), strict=True):
        assert not set(training) & set(positions)
        np.testing.assert_array_equal(training, again)


def test_ridge_is_fitted_on_the_same_folds(validation: Validation, rows: Rows) -> None:
    training, held_out = hold_out(rows)[2]
    ridge = build_ridge().fit(rows.features[training], rows.targets[training])
    assert isinstance(ridge[-1], RidgeCV)
    np.testing.assert_allclose(validation.ridge[held_out], ridge.predict(rows.features[held_out]))


def test_importance_tells_what_matters_from_what_does_not(validation: Validation) -> None:
    importance = dict(zip(TABLE.names, validation.importance.mean(axis=1), strict=True))
    assert validation.importance.shape == (10, 20)
    assert max(importance, key=lambda name: importance[name]) == "bmi"
    assert importance["bmi"] > 5
    assert min(importance["s5"], importance["bp"]) > 3 * max(importance["age"], importance["s4"], importance["s6"])


def test_figures_are_those_of_the_predictions() -> None:
    generator = np.random.default_rng(0)
    actual = generator.normal(150, 50, 90)
    predicted, ridge = actual + 10, actual - 20
    intervals = np.column_stack([predicted - 30, predicted + 5])
    intervals[:9] -= 100
    nobody = np.zeros(90, bool)
    figures = describe_validation(Validation(actual, predicted, intervals, ridge, np.zeros((10, 1)), nobody))
    held_out = figures["held_out"]
    assert (held_out["rows"], held_out["folds"]) == (90, 5)
    assert held_out["rmse"] == pytest.approx(10)
    assert held_out["mae"] == pytest.approx(10)
    assert held_out["r2"] == pytest.approx(1 - 100 / actual.var())
    assert held_out["bias"] == pytest.approx(10)
    assert held_out["coverage"] == pytest.approx(0.9)
    assert held_out["mean_width"] == pytest.approx(35)
    assert held_out["outside"] == {"rows": 0, "coverage": None, "mean_width": None}
    assert figures["ridge"]["rmse"] == pytest.approx(20)
    assert figures["confidence"]["rmse"] == pytest.approx([10, 10])
    assert figures["confidence"]["rmse_less_ridge"] == pytest.approx([-10, -10])
    lower, upper = figures["confidence"]["coverage"]
    # By the binomial distribution for 90 patients and 90 %.
    assert lower == pytest.approx(0.838, abs=0.03)
    assert upper == pytest.approx(0.962, abs=0.03)


def test_coverage_is_of_those_to_whom_it_is_promised_and_errors_are_of_all() -> None:
    actual = np.linspace(100, 199, 100)
    # No interval of those outside holds, and all of the others do.
    outside = np.arange(100) < 10
    predicted = np.where(outside, actual + 100, actual)
    intervals = np.column_stack([predicted - np.where(outside, 50, 5), predicted + np.where(outside, 50, 5)])
    figures = describe_validation(Validation(actual, predicted, intervals, actual, np.zeros((10, 1)), outside))
    held_out = figures["held_out"]
    assert (held_out["rows"], held_out["mae"]) == (100, pytest.approx(10))
    assert (held_out["coverage"], held_out["coverage_by_third"]) == (1, [1, 1, 1])
    assert (held_out["mean_width"], figures["confidence"]["coverage"]) == (pytest.approx(10), [1, 1])
    assert held_out["outside"] == {"rows": 10, "coverage": 0, "mean_width": pytest.approx(100)}


def test_errors_are_given_for_each_third_of_the_prediction() -> None:
    predicted = np.arange(90.0)
    errors = np.repeat([3.0, -6.0, 9.0], 30)
    actual = predicted - errors
    intervals = np.column_stack([predicted - 5, predicted + 5])
    nobody = np.zeros(90, bool)
    held_out = describe_validation(Validation(actual, predicted, intervals, actual, np.zeros((10, 1)), nobody))[
        "held_out"
    ]
    assert held_out["third_edges"] == [30, 60]
    assert held_out["rows_by_third"] == [30, 30, 30]
    assert held_out["bias_by_third"] == pytest.approx([3, -6, 9])
    assert held_out["mae_by_third"] == held_out["rmse_by_third"] == pytest.approx([3, 6, 9])
    spread = np.arange(30.0).var()
    assert held_out["r2_by_third"] == pytest.approx([1 - error**2 / spread for error in (3, 6, 9)])
    assert held_out["coverage_by_third"] == [1, 0, 0]


def test_held_out_patients_are_judged_as_the_service_would(validation: Validation, rows: Rows) -> None:
    beyond = np.zeros(len(rows), bool)
    for training, held_out in hold_out(rows):
        known, new = rows.features[training], rows.features[held_out]
        beyond[held_out] = ((new < known.min(axis=0)) | (new > known.max(axis=0))).any(axis=1)
    assert validation.outside[beyond].all()
    # The others are unlike the training by all measurements together.
    assert 3 <= (validation.outside & ~beyond).sum() <= 9
    widths = np.diff(validation.intervals, axis=1)[:, 0]
    assert widths[validation.outside].mean() > 1.1 * widths[~validation.outside].mean()
    promised = validation.promised
    assert len(promised.actual) == len(rows) - validation.outside.sum()
    # A whole training must pass a gate; this one has 15 epochs.
    assert promised.covered.mean() == pytest.approx(0.9, abs=0.05)
    assert validation.covered[validation.outside].mean() > 0.8


def test_thirds_go_by_the_prediction_lowest_first() -> None:
    predicted = np.array([3.0, 1.0, 2.0])
    intervals = np.array([[2.0, 5.0], [0.0, 1.0], [0.0, 2.0]])
    figures = describe_intervals(np.array([3.0, 5.0, 1.0]), predicted, intervals)
    assert figures["coverage_by_third"] == [0, 1, 1]
    assert figures["mean_width_by_third"] == [1, 2, 3]
    assert figures["coverage"] == pytest.approx(2 / 3)
    assert figures["mean_width"] == pytest.approx(2)
