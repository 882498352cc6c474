"""Calibrates the prediction intervals with the residuals of each fold's members on the rows of that fold."""

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from lambda_app.model.interval import Fold, IntervalCalibration, find_rank

COVERAGE = 0.9
# Limits of the parabola of the expected error: a range of quantiles of the predictions, and a share of the mean error.
# Near the ends, few rows determine it.
ENDS = (0.02, 0.98)
SMALLEST_PART = 0.1
DEGREE = 2
# Per fold. The service loads all scores at the start and searches them for every prediction.
MOST_SCORES = 150


def calibrate_intervals(
    predicted: NDArray[np.float64], actual: NDArray[np.float64], fold_of_row: NDArray[np.intp]
) -> IntervalCalibration:
    """Calibrate on out-of-fold predictions, all (n,). The expected error of a fold is fitted to the other folds."""
    errors = np.abs(predicted - actual)
    folds = []
    for number in range(fold_of_row.max() + 1):
        own = fold_of_row == number
        lowest, highest = np.quantile(predicted[~own], ENDS)
        coefficients = _fit_parabola(np.clip(predicted[~own], lowest, highest), errors[~own])
        fold = Fold(float(lowest), float(highest), coefficients.tolist(), scores=[])
        expected = [fold.expect_error(value) for value in predicted[own].tolist()]
        folds.append(replace(fold, scores=np.sort(errors[own] / expected).tolist()))
    return IntervalCalibration(COVERAGE, thin_scores(folds))


def thin_scores(folds: Sequence[Fold]) -> list[Fold]:
    """Keep every n-th score of each fold, from the highest down; keep all if there are few.

    A kept score represents itself and the lower scores up to the next kept one. So an end never moves inwards: if
    `beyond` kept ends lie beyond an end, at most `step` times as many of all ends do, which must not exceed the number
    with all scores. Intervals get wider, and never lose coverage.
    """
    counts = [len(fold.scores) for fold in folds]
    step = math.ceil(max(counts) / MOST_SCORES)
    while step * _count_beyond([math.ceil(count / step) for count in counts]) > _count_beyond(counts):
        step += 1
    return [replace(fold, scores=sorted(sorted(fold.scores, reverse=True)[::step])) for fold in folds]


def _count_beyond(counts: Sequence[int]) -> int:
    """The number of values beyond an end of the interval, among those of all scores."""
    return sum(counts) - find_rank(COVERAGE, sum(counts))


def find_constant_margin(errors: NDArray[np.float64], coverage: float) -> float:
    """Half the width of a conformal interval of constant width; `errors`, (n,), are absolute."""
    return float(np.sort(errors)[find_rank(coverage, len(errors)) - 1])


def _fit_parabola(predicted: NDArray[np.float64], errors: NDArray[np.float64]) -> NDArray[np.float64]:
    coefficients: NDArray[np.float64] = np.polyfit(predicted, errors, DEGREE)
    fitted = np.polyval(coefficients, predicted)
    if fitted.min() < SMALLEST_PART * errors.mean():
        # The parabola would be near zero somewhere, so use one width for all cases.
        return np.array([errors.mean()])
    return coefficients
