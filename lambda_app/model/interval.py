"""Prediction intervals by cross-conformal prediction (CV+). Their width depends on the expected error of a case.

Barber, Candès, Ramdas and Tibshirani, "Predictive inference with the jackknife+", Annals of Statistics 49 (2021). Each
member of the ensemble left out one fold of the training rows. The scores of a fold are the absolute residuals of its
members on these unseen rows, divided by the expected error at their predictions.
"""

import heapq
import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import islice
from typing import Any

from lambda_app.model.json_numbers import read_number, read_numbers

# The number of points at which the largest expected error of a fold is searched.
_POINTS = 50


@dataclass(frozen=True)
class Fold:
    """The scores of a fold, and its expected error: a parabola over the prediction, constant outside its range."""

    lowest: float
    highest: float
    coefficients: Sequence[float]
    scores: Sequence[float]

    def expect_error(self, predicted: float) -> float:
        """Return the expected absolute error of a prediction; both are in the units of the target."""
        held = min(max(predicted, self.lowest), self.highest)
        error = 0.0
        for coefficient in self.coefficients:
            error = error * held + coefficient
        return error

    @cached_property
    def expected_errors(self) -> Sequence[float]:
        """Return `expect_error` at points over the whole range."""
        step = (self.highest - self.lowest) / (_POINTS - 1)
        return [self.expect_error(self.lowest + step * point) for point in range(_POINTS)]


@dataclass(frozen=True)
class IntervalCalibration:
    """The nominal coverage of the intervals, and the folds in the order of the network."""

    coverage: float
    folds: Sequence[Fold]

    def predict(self, fold_means: Sequence[float]) -> tuple[float, float]:
        """Return the lower and upper end for the mean predictions of the folds, (folds,), all finite."""
        errors = [fold.expect_error(mean) for fold, mean in zip(self.folds, fold_means, strict=True)]
        return self._find_ends(fold_means, errors)

    def predict_outside(self, fold_means: Sequence[float], stretch: float) -> tuple[float, float]:
        """Return an interval for a case unlike those of the training, without a coverage.

        The error is unknown there, so each fold uses its largest expected error, times `stretch`. The expected error at
        the nearest end of its range may be its smallest.
        """
        return self._find_ends(fold_means, [max(fold.expected_errors) * stretch for fold in self.folds])

    def _find_ends(self, fold_means: Sequence[float], errors: Sequence[float]) -> tuple[float, float]:
        # The same rank from both ends.
        lower = -self._find_end([-mean for mean in fold_means], errors)
        return lower, self._find_end(fold_means, errors)

    def _find_end(self, centres: Sequence[float], errors: Sequence[float]) -> float:
        """Return the value of the given rank among centre + error x score, over all folds and scores."""
        ends = heapq.merge(*map(_yield_ends, centres, errors, self._falling_scores), reverse=True)
        return next(islice(ends, self._beyond, None))

    @cached_property
    def _beyond(self) -> int:
        """The number of values outside the interval, on each side."""
        count = sum(len(fold.scores) for fold in self.folds)
        return count - find_rank(self.coverage, count)

    @cached_property
    def _falling_scores(self) -> list[list[float]]:
        return [sorted(fold.scores, reverse=True) for fold in self.folds]


def _yield_ends(centre: float, error: float, scores: Sequence[float]) -> Iterator[float]:
    """Yield the values of a fold one by one, because only a few are needed."""
    for score in scores:
        yield centre + error * score


def find_rank(coverage: float, count: int) -> int:
    """Return the rank, from 1, of the score that bounds this share of new cases, among `count` ascending scores."""
    return min(math.ceil(coverage * (count + 1)), count)


def parse_calibration(content: bytes) -> IntervalCalibration:
    """Parse interval.json; raises ValueError with the fault."""
    try:
        document = json.loads(content)
        calibration = IntervalCalibration(
            read_number(document["coverage"]), [_read_fold(fold) for fold in document["folds"]]
        )
        # Below a half, the lower end could be above the upper one. A coverage of 1 needs an infinite interval.
        if not 0.5 <= calibration.coverage < 1:
            raise ValueError(f"the coverage {calibration.coverage} is not from a half to below one")
    except (KeyError, TypeError, ValueError, RecursionError) as error:
        raise ValueError(f"interval.json is not a calibration: {error!r}") from error
    return calibration


def _read_fold(entry: Mapping[str, Any]) -> Fold:
    """Parse a fold; raises ValueError for values that would give wrong intervals without an error."""
    fold = Fold(
        read_number(entry["lowest"]),
        read_number(entry["highest"]),
        read_numbers(entry["coefficients"]),
        read_numbers(entry["scores"]),
    )
    if fold.lowest > fold.highest:
        raise ValueError("a fold's range ends before it begins")
    if not fold.scores or min(fold.scores) < 0:
        raise ValueError("a fold has no score, or a negative score")
    # Written this way, NaN after an overflow fails too, because every comparison with it is false.
    if not all(0 < error < math.inf for error in fold.expected_errors):
        raise ValueError("an expected error of a fold is not positive and finite")
    return fold
