"""Prediction intervals by cross-conformal prediction (CV+), with widths that follow the difficulty of the case.

Barber, Candès, Ramdas and Tibshirani, "Predictive inference with the jackknife+", Annals of Statistics 49 (2021). Each
member of the ensemble left out one fold of the training rows; a fold's scores are how far its members were from the
rows they had not seen, in units of the error to be expected where they predicted.
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

# In how many places of its range a fold is asked which error it expects.
_POINTS = 50


@dataclass(frozen=True)
class Fold:
    """`scores`, and the expected absolute error: a parabola over the prediction, held at its ends outside."""

    lowest: float
    highest: float
    coefficients: Sequence[float]
    scores: Sequence[float]

    def expect_error(self, predicted: float) -> float:
        """The absolute error to be expected of a prediction; both are in the target's units."""
        held = min(max(predicted, self.lowest), self.highest)
        error = 0.0
        for coefficient in self.coefficients:
            error = error * held + coefficient
        return error

    @cached_property
    def expected_errors(self) -> Sequence[float]:
        """The values of `expect_error` at points over the whole range."""
        step = (self.highest - self.lowest) / (_POINTS - 1)
        return [self.expect_error(self.lowest + step * point) for point in range(_POINTS)]


@dataclass(frozen=True)
class IntervalCalibration:
    """`coverage` is the nominal share of intervals that hold the truth; the folds are in the order of the network's."""

    coverage: float
    folds: Sequence[Fold]

    def predict(self, fold_means: Sequence[float]) -> tuple[float, float]:
        """Lower and upper end from what each fold's members predict, (folds,), all of it finite."""
        errors = [fold.expect_error(mean) for fold, mean in zip(self.folds, fold_means, strict=True)]
        return self._find_ends(fold_means, errors)

    def predict_outside(self, fold_means: Sequence[float], stretch: float) -> tuple[float, float]:
        """The same for a case unlike the training's: no error is known there, and so no coverage either.

        Each fold expects the largest error that it expects anywhere, `stretch` times: the one at the nearest end of its
        range may be the smallest.
        """
        return self._find_ends(fold_means, [max(fold.expected_errors) * stretch for fold in self.folds])

    def _find_ends(self, fold_means: Sequence[float], errors: Sequence[float]) -> tuple[float, float]:
        # The same rank from either end.
        lower = -self._find_end([-mean for mean in fold_means], errors)
        return lower, self._find_end(fold_means, errors)

    def _find_end(self, centres: Sequence[float], errors: Sequence[float]) -> float:
        """Of each fold's centre plus its error times each of its scores, over all folds, the one of the rank."""
        ends = heapq.merge(*map(_yield_ends, centres, errors, self._falling_scores), reverse=True)
        return next(islice(ends, self._beyond, None))

    @cached_property
    def _beyond(self) -> int:
        """How many ends of all scores lie beyond the interval's, on either side."""
        count = sum(len(fold.scores) for fold in self.folds)
        return count - find_rank(self.coverage, count)

    @cached_property
    def _falling_scores(self) -> list[list[float]]:
        return [sorted(fold.scores, reverse=True) for fold in self.folds]


def _yield_ends(centre: float, error: float, scores: Sequence[float]) -> Iterator[float]:
    """One by one: few of a fold's are asked for."""
    for score in scores:
        yield centre + error * score


def find_rank(coverage: float, count: int) -> int:
    """The rank, from 1, of the score that bounds that share of the cases to come, among `count` in ascending order."""
    return min(math.ceil(coverage * (count + 1)), count)


def parse_calibration(content: bytes) -> IntervalCalibration:
    """Read interval.json; ValueError says what is wrong with it."""
    try:
        document = json.loads(content)
        calibration = IntervalCalibration(
            read_number(document["coverage"]), [_read_fold(fold) for fold in document["folds"]]
        )
        # Below a half the lower end may lie above the upper one; certainty would need an interval without ends.
        if not 0.5 <= calibration.coverage < 1:
            raise ValueError(f"the coverage {calibration.coverage} is not from a half to below one")
    except (KeyError, TypeError, ValueError, RecursionError) as error:
        raise ValueError(f"interval.json is not a calibration: {error!r}") from error
    return calibration


def _read_fold(entry: Mapping[str, Any]) -> Fold:
    """ValueError for what would make intervals that are wrong and look right."""
    fold = Fold(
        read_number(entry["lowest"]),
        read_number(entry["highest"]),
        read_numbers(entry["coefficients"]),
        read_numbers(entry["scores"]),
    )
    if fold.lowest > fold.highest:
        raise ValueError("a fold's range ends before it begins")
    if not fold.scores or min(fold.scores) < 0:
        raise ValueError("a fold has no score, or a negative one")
    # Asked this way round, a NaN of an overflow fails: it compares false with everything.
    if not all(0 < error < math.inf for error in fold.expected_errors):
        raise ValueError("a fold expects no error somewhere, or less than none, or one without end")
    return fold
