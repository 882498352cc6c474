"""Calibrates the prediction intervals on what each fold's members said of the rows that they had not seen."""

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
    return IntervalCalibration(COVERAGE, folds)


def find_constant_margin(errors: NDArray[np.float64], coverage: float) -> float:
    """Half the width of the conformal interval that is as wide for everybody; `errors`, (n,), are absolute."""
    return float(np.sort(errors)[find_rank(coverage, len(errors)) - 1])


def _fit_parabola(predicted: NDArray[np.float64], errors: NDArray[np.float64]) -> NDArray[np.float64]:
    coefficients: NDArray[np.float64] = np.polyfit(predicted, errors, DEGREE)
    fitted = np.polyval(coefficients, predicted)
    if fitted.min() < SMALLEST_PART * errors.mean():
        # The parabola would promise almost no error somewhere: better one width for all.
        return np.array([errors.mean()])
    return coefficients
