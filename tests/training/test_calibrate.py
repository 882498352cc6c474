"""Calibration: scores in units of the error to be expected, the coverage that follows, and a second opinion on CV+."""

import numpy as np
import pytest
from mapie.regression import CrossConformalRegressor
from numpy.typing import NDArray
from sklearn.linear_model import LinearRegression
from sklearn.model_selection import PredefinedSplit

from lambda_app.model.interval import Fold, IntervalCalibration
from training.calibrate import COVERAGE, MOST_SCORES, calibrate_intervals, thin_scores
from training.data import Rows

FOLDS = 5


def draw_cases(count: int, seed: int) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.intp]]:
    """Predictions from 50 to 250, truths that lie the further off the higher the prediction, and folds."""
    generator = np.random.default_rng(seed)
    predicted = generator.uniform(50, 250, count)
    actual = predicted + generator.normal(size=count) * predicted / 5
    return predicted, actual, generator.permutation(np.resize(np.arange(FOLDS), count))


def predict(calibration: IntervalCalibration, predicted: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.array([calibration.predict([value] * FOLDS) for value in predicted.tolist()])


def test_intervals_hold_nine_in_ten_everywhere_and_follow_the_error() -> None:
    calibration = calibrate_intervals(*draw_cases(2000, seed=0))
    predicted, actual, _ = draw_cases(20_000, seed=1)
    lower, upper = predict(calibration, predicted).T
    covered = (lower <= actual) & (actual <= upper)
    assert calibration.coverage == COVERAGE == 0.9
    assert covered.mean() == pytest.approx(0.9, abs=0.01)
    for low, high in ((50, 117), (117, 183), (183, 250)):
        assert covered[(predicted >= low) & (predicted < high)].mean() == pytest.approx(0.9, abs=0.02)
    # The error grows in proportion to the prediction, so the widths must too.
    widths = (upper - lower)[np.argsort(predicted)]
    assert widths[-2000:].mean() / widths[:2000].mean() == pytest.approx(240 / 60, rel=0.1)


def test_a_folds_expected_error_knows_nothing_of_its_own_rows() -> None:
    predicted, actual, fold_of_row = draw_cases(200, seed=2)
    before = calibrate_intervals(predicted, actual, fold_of_row)
    actual[fold_of_row == 3] += 1000
    after = calibrate_intervals(predicted, actual, fold_of_row)
    for number, (one, other) in enumerate(zip(before.folds, after.folds, strict=True)):
        assert (one.coefficients == other.coefficients) == (number == 3)
    assert min(after.folds[3].scores) > max(before.folds[3].scores)


def test_expected_error_stays_positive_where_the_parabola_would_not() -> None:
    predicted, actual, fold_of_row = draw_cases(500, seed=3)
    # No error at all at one end: a parabola through it dips below zero.
    actual = np.where(predicted < 150, predicted, predicted + 100)
    for fold in calibrate_intervals(predicted, actual, fold_of_row).folds:
        assert min(map(fold.expect_error, range(-1000, 1000, 4))) > 0


def test_few_scores_are_all_kept() -> None:
    folds = draw_folds([MOST_SCORES] * 10)
    assert thin_scores(folds) == folds


@pytest.mark.parametrize("count", [MOST_SCORES + 1, 301, 1000, 3001])
def test_thinned_scores_make_intervals_a_little_wider_and_never_narrower(count: int) -> None:
    folds = draw_folds([count, count - 1] * 5)
    thinned = thin_scores(folds)
    kept = [len(fold.scores) for fold in thinned]
    assert MOST_SCORES / 2 <= min(kept) <= max(kept) <= MOST_SCORES
    before, after = IntervalCalibration(COVERAGE, folds), IntervalCalibration(COVERAGE, thinned)
    generator = np.random.default_rng(count)
    # Folds that agree, that do not, and of which one is far away.
    centres = [generator.normal(0, spread, 10) for spread in (0.1, 1, 5)]
    centres.append(np.array([100.0] + [0.0] * 9))
    for means in centres:
        (lower, upper), (thin_lower, thin_upper) = before.predict(means.tolist()), after.predict(means.tolist())
        assert thin_lower <= lower < upper <= thin_upper
    lower, upper = before.predict([0.0] * 10)
    thin_lower, thin_upper = after.predict([0.0] * 10)
    assert (thin_upper - thin_lower) / (upper - lower) < 1.03


def draw_folds(counts: list[int]) -> list[Fold]:
    """Folds with so many scores each, whose errors do not depend on the prediction."""
    generator = np.random.default_rng(0)
    return [Fold(0.0, 1.0, [1.0], np.sort(np.abs(generator.normal(size=count))).tolist()) for count in counts]


def test_without_difficulty_the_intervals_are_those_of_mapie(rows: Rows) -> None:
    features, targets = rows.features[:300], rows.targets[:300]
    fold_of_row = np.random.default_rng(0).permutation(np.resize(np.arange(FOLDS), 300))
    second_opinion = CrossConformalRegressor(
        LinearRegression(), confidence_level=COVERAGE, method="plus", cv=PredefinedSplit(fold_of_row)
    )
    _, expected = second_opinion.fit_conformalize(features, targets).predict_interval(rows.features[300:])

    folds, fold_means = [], []
    for number in range(FOLDS):
        own = fold_of_row == number
        model = LinearRegression().fit(features[~own], targets[~own])
        folds.append(Fold(0.0, 1.0, [1.0], np.abs(model.predict(features[own]) - targets[own]).tolist()))
        fold_means.append(model.predict(rows.features[300:]))
    calibration = IntervalCalibration(COVERAGE, folds)
    intervals = [calibration.predict(means) for means in np.column_stack(fold_means).tolist()]
    np.testing.assert_allclose(intervals, expected[:, :, 0], rtol=1e-9)
