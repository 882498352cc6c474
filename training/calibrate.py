"""Calibrates the prediction intervals on what each fold's members predicted for the rows that they had not seen."""

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from lambda_app.model.interval import Fold, IntervalCalibration, find_rank

COVERAGE = 0.9
# The parabola of the expected error is not followed beyond these shares of the predictions, nor below this part of the
# mean error: at the ends few rows hold it up.
ENDS = (0.02, 0.98)
SMALLEST_PART = 0.1
DEGREE = 2
# Of a fold. The service reads all scores when it starts and looks through them for every answer.
MOST_SCORES = 150


def calibrate_intervals(
    predicted: NDArray[np.float64], actual: NDArray[np.float64], fold_of_row: NDArray[np.intp]
) -> IntervalCalibration:
    """Calibrate on out-of-fold predictions, all (n,). A fold's expected error is fitted on the rows of the others."""
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
    """Keep every so many-th score of each fold, from the highest down; all of them where they are few.

    A score that is kept stands for itself and for the lower ones that follow it, so every end is as far out as before
    or further: if `beyond` of the kept ends lie beyond an end, `step` times so many of all do at most, and that may not
    be more than lay beyond the end by all scores. Intervals get wider, and never lose coverage.
    """
    counts = [len(fold.scores) for fold in folds]
    step = math.ceil(max(counts) / MOST_SCORES)
    while step * _count_beyond([math.ceil(count / step) for count in counts]) > _count_beyond(counts):
        step += 1
    return [replace(fold, scores=sorted(sorted(fold.scores, reverse=True)[::step])) for fold in folds]


def _count_beyond(counts: Sequence[int]) -> int:
    """How many ends of all scores lie beyond an end of the interval."""
    return sum(counts) - find_rank(COVERAGE, sum(counts))


def find_constant_margin(errors: NDArray[np.float64], coverage: float) -> float:
    """Half the width of the conformal interval that is as wide for every case; `errors`, (n,), are absolute."""
    return float(np.sort(errors)[find_rank(coverage, len(errors)) - 1])


def _fit_parabola(predicted: NDArray[np.float64], errors: NDArray[np.float64]) -> NDArray[np.float64]:
    coefficients: NDArray[np.float64] = np.polyfit(predicted, errors, DEGREE)
    fitted = np.polyval(coefficients, predicted)
    if fitted.min() < SMALLEST_PART * errors.mean():
        # The parabola would promise almost no error somewhere: better one width for every case.
        return np.array([errors.mean()])
    return coefficients
