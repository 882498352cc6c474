"""Confidence sequences of a mean: an interval after each value, of which all hold the mean at once.

So people may look after every outcome and stop when they like: that any of the intervals ever misses the mean has at
most the probability `error`. The mean is that of the expectations of the values so far, each given what was before.

`follow_bounded` and `follow_rare` are exact for any number of values. They are the normal mixture and the empirical
Bernstein bound of Howard, Ramdas, McAuliffe and Sekhon, "Time-uniform, nonparametric, nonasymptotic confidence
sequences", The Annals of Statistics 49 (2021). `follow_unbounded` is for large numbers: Waudby-Smith, Arbour, Sinha,
Kennedy and Ramdas, "Time-uniform central limit theory and asymptotic confidence sequences", The Annals of Statistics 52
(2024).
"""

from collections.abc import Callable
from dataclasses import dataclass
from math import log

import numpy as np
from numpy.typing import NDArray

# The normal mixture is narrowest about this many values after its start, and nearly so from a tenth to ten times that.
BEST_AT = 500
# Its parameter is the variance until then, divided by this, which is best for an error of 5 %.
_SHARPEST = 7.94
# The weights of the rare differences: a small one is best for many of them.
_BETS = 0.8 * 0.5 ** np.arange(7)

Vector = NDArray[np.float64]


@dataclass(frozen=True)
class Track:
    """The running means of values, (n,), and how far the interval reaches to either side of each.

    `foresee` returns how far it will reach after a number of values, if the next ones vary as these.
    """

    means: Vector
    reaches: Vector
    foresee: Callable[[float], float]


def follow_bounded(values: Vector, bounds: Vector, scale: float, error: float) -> Track:
    """Follow values of which each is between -bound and bound; a bound may depend on all that was before its value.

    `scale` is about the size of a bound. It must be known before the first value.
    """
    start = BEST_AT * scale**2 / _SHARPEST
    return _track(values, np.cumsum(bounds**2), lambda spread, count: _reach_normal(spread, start, error) / count)


def follow_unbounded(values: Vector, error: float) -> Track:
    """Follow values of any size; it holds for large numbers of them."""
    counts = np.arange(1, len(values) + 1)
    means = np.cumsum(values) / counts
    variances = (np.cumsum(values**2) / counts - means**2).clip(0)

    def find_reach(spread: Vector, count: Vector) -> Vector:
        deviation: Vector = np.sqrt(spread / count)
        return deviation * _reach_normal(count, BEST_AT / _SHARPEST, error) / count

    return _track(values, variances * counts, find_reach)


def follow_rare(values: Vector, guesses: Vector, error: float) -> Track:
    """Follow values that are mostly near their guess. They are at most 1 from it; it was made before its value."""
    costs = -np.log1p(-_BETS) - _BETS
    evidence = log(2 * len(_BETS) / error)

    def find_reach(spread: Vector, count: Vector) -> Vector:
        # Each bet gives a bound; together they err at most `error`, so the best of them holds.
        bounds = [(cost * spread + evidence) / bet for bet, cost in zip(_BETS, costs, strict=True)]
        best: Vector = np.min(bounds, axis=0)
        return best / count

    # One that did not come yet is not impossible.
    return _track(values, np.cumsum((values - guesses) ** 2), find_reach, least_spread=1.0)


def guess_shares(hits: Vector) -> Vector:
    """The share of hits before each one, of those before it and half a hit more."""
    before = np.cumsum(hits) - hits
    guesses: Vector = (before + 0.5) / np.arange(1, len(hits) + 1)
    return guesses


def _reach_normal(spread: Vector, start: float, error: float) -> Vector:
    total = spread + start
    reach: Vector = np.sqrt(total * np.log(total / (start * error**2)))
    return reach


def _track(
    values: Vector, spreads: Vector, find_reach: Callable[[Vector, Vector], Vector], least_spread: float = 0.0
) -> Track:
    counts = np.arange(1, len(values) + 1, dtype=float)
    rate = max(float(spreads[-1]), least_spread) / len(values)
    return Track(
        means=np.cumsum(values) / counts,
        reaches=find_reach(spreads, counts),
        foresee=lambda count: float(find_reach(np.array([rate * count]), np.array([float(count)]))[0]),
    )
