"""The difference of candidate and current version in a figure, followed from outcome to outcome, with a verdict."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from math import ceil, isfinite
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lambda_app.monitor.figures import LEAST_OUTCOMES, Evaluated
from lambda_app.monitor.sequences import Track, Vector, follow_bounded, follow_rare, follow_unbounded, guess_shares

# The probability that a sequence ever misses the truth.
ERROR = 0.05
# Without pairs, the sequence of the errors holds for large numbers, so it begins with so many of each version.
LEAST_UNPAIRED = 50
# A difference of less is of no importance: a share of the current version's median error, which no single outcome can
# move, and a difference of two coverages.
ERROR_TOLERANCE = 0.02
COVERAGE_TOLERANCE = 0.02
# Where none is seen, so large a one is asked for, as a share of the same error or as a coverage.
SOUGHT_ERROR = 0.05
SOUGHT_COVERAGE = 0.05
# The guess of how far two models are apart, as a share of half an interval.
_APART = 0.1
MOST_POINTS = 200
# Fewer outcomes between two points would tell the error of single cases.
LEAST_STEP = 10
_MOST_FORESEEN = 10**9

Figure = dict[str, Any]
# The track of a version with the times of its outcomes.
Group = tuple[Track, Sequence[datetime]]


@dataclass(frozen=True)
class Pairs:
    """Cases that both models predicted for, in the order in which their outcomes were observed."""

    current: Evaluated
    candidate: Evaluated

    @property
    def has_intervals(self) -> NDArray[np.bool_]:
        """True where both have a promised coverage."""
        both: NDArray[np.bool_] = self.current.inside & self.candidate.inside
        return both


@dataclass(frozen=True)
class Difference:
    """The candidate's figure minus the current version's after `counts` outcomes, (looks,), and how far it reaches.

    `current` and `candidate` are the figures themselves, at the last look. `foresee` is as in a Track.
    """

    current: float
    candidate: float
    differences: Vector
    reaches: Vector
    counts: NDArray[np.intp]
    times: Sequence[datetime]
    foresee: Callable[[float], float]


@np.errstate(over="ignore", invalid="ignore")
def compare_errors(pairs: Pairs) -> Figure | None:
    """Compare the absolute errors of pairs; None for too few.

    The difference of two absolute errors is at most that of the predictions, which is known before the outcome.
    """
    if len(pairs.current) < LEAST_OUTCOMES:
        return None
    current, candidate = _find_errors(pairs.current), _find_errors(pairs.candidate)
    bounds = np.abs(pairs.candidate.predictions - pairs.current.predictions)
    # The width is known before the first outcome.
    scale = _APART * float(pairs.candidate.upper[0] - pairs.candidate.lower[0]) / 2 or 1.0
    track = follow_bounded((candidate - current).clip(-bounds, bounds), bounds, scale, ERROR)
    return _describe_error(_pair(track, current, candidate, pairs.current.observed_at), float(np.median(current)))


def compare_coverages(pairs: Pairs) -> Figure | None:
    """Compare how often the two intervals hold the truth; None for too few pairs with both."""
    places = np.flatnonzero(pairs.has_intervals)
    if len(places) < LEAST_OUTCOMES:
        return None
    current, candidate = (one.take(places).covered.astype(float) for one in (pairs.current, pairs.candidate))
    times = [pairs.current.observed_at[place] for place in places]
    # Most often both hold it, or neither.
    track = follow_rare(candidate - current, np.zeros(len(places)), ERROR)
    return _describe_coverage(_pair(track, current, candidate, times))


@np.errstate(over="ignore", invalid="ignore")
def compare_unpaired_errors(current: Evaluated, candidate: Evaluated) -> Figure | None:
    """Compare the absolute errors of two groups of cases; None for too few."""
    if min(len(current), len(candidate)) < LEAST_UNPAIRED:
        return None
    # Two sequences of half the error.
    errors = [_find_errors(one) for one in (current, candidate)]
    tracks = [follow_unbounded(one, ERROR / 2) for one in errors]
    found = _meet((tracks[0], current.observed_at), (tracks[1], candidate.observed_at), LEAST_UNPAIRED)
    return _describe_error(found, float(np.median(errors[0])))


def compare_unpaired_coverages(current: Evaluated, candidate: Evaluated) -> Figure | None:
    """Compare how often the intervals of two groups of cases hold the truth; None for too few."""
    groups = [one.take(np.flatnonzero(one.inside)) for one in (current, candidate)]
    if min(map(len, groups)) < LEAST_OUTCOMES:
        return None
    hits = [one.covered.astype(float) for one in groups]
    tracks = [follow_rare(one, guess_shares(one), ERROR / 2) for one in hits]
    first, second = zip(tracks, [one.observed_at for one in groups], strict=True)
    return _describe_coverage(_meet(first, second, LEAST_OUTCOMES))


def _pair(track: Track, current: Vector, candidate: Vector, times: Sequence[datetime]) -> Difference:
    counts = np.arange(1, len(times) + 1)
    means = float(current.mean()), float(candidate.mean())
    return Difference(*means, track.means, track.reaches, counts, times, track.foresee)


def _find_errors(evaluated: Evaluated) -> Vector:
    errors: Vector = np.abs(evaluated.predictions - evaluated.values)
    return errors


def _meet(current_group: Group, candidate_group: Group, least: int) -> Difference:
    """Look at both groups at once, at each outcome of either, as soon as each has `least`."""
    (current, times), (candidate, candidate_times) = current_group, candidate_group
    looks = sorted([*times, *candidate_times])
    seconds = [np.array([time.timestamp() for time in own]) for own in (times, candidate_times, looks)]
    counts = [np.searchsorted(own, seconds[2], side="right") for own in seconds[:2]]
    kept = np.flatnonzero(np.minimum(*counts) >= least)
    first, second = (one[kept] - 1 for one in counts)
    shares = [len(own) / len(looks) for own in (times, candidate_times)]
    return Difference(
        current=float(current.means[-1]),
        candidate=float(candidate.means[-1]),
        differences=candidate.means[second] - current.means[first],
        reaches=candidate.reaches[second] + current.reaches[first],
        counts=first + second + 2,
        times=[looks[place] for place in kept],
        foresee=lambda count: current.foresee(shares[0] * count) + candidate.foresee(shares[1] * count),
    )


def _describe_error(found: Difference, median: float) -> Figure | None:
    if not isfinite(found.current) or not isfinite(found.candidate):
        return None
    tolerance, sought = ERROR_TOLERANCE * median, SOUGHT_ERROR * median
    return _describe(found, tolerance, sought, smaller="better", larger="worse")


def _describe_coverage(found: Difference) -> Figure | None:
    return _describe(found, COVERAGE_TOLERANCE, SOUGHT_COVERAGE, smaller="lower", larger="higher")


def _describe(found: Difference, tolerance: float, sought: float, *, smaller: str, larger: str) -> Figure | None:
    difference, reach = float(found.differences[-1]), float(found.reaches[-1])
    if not isfinite(difference) or not isfinite(reach):
        return None
    lower, upper = difference - reach, difference + reach
    if -tolerance <= lower and upper <= tolerance:
        verdict = "alike"
    elif upper < 0:
        verdict = smaller
    else:
        verdict = larger if lower > 0 else "unclear"
    return {
        "outcomes": int(found.counts[-1]),
        "current": found.current,
        "candidate": found.candidate,
        "difference": difference,
        "lower": lower,
        "upper": upper,
        "tolerance": tolerance,
        "verdict": verdict,
        "needed": _foresee(found, abs(difference), tolerance, sought) if verdict == "unclear" else None,
        "line": _draw_line(found),
    }


def _foresee(found: Difference, difference: float, tolerance: float, sought: float) -> Figure | None:
    """Return after how many outcomes there will be a verdict: on the difference so far, or on one that is sought."""
    now = int(found.counts[-1])
    if difference > tolerance:
        target, kind = difference, "seen"
    elif found.foresee(now) > sought:
        target, kind = sought, "sought"
    else:
        # One that is sought would have shown. What remains is to show that there is none.
        target, kind = tolerance - difference, "alike"
    low, high = now, 2 * now
    while found.foresee(high) > target:
        low, high = high, 2 * high
        if low > _MOST_FORESEEN:
            return None
    while high - low > max(1, low // 1000):
        middle = (low + high) // 2
        low, high = (middle, high) if found.foresee(middle) > target else (low, middle)
    return {"kind": kind, "difference": target, "outcomes": ceil(high)}


def _draw_line(found: Difference) -> list[list[Any]]:
    """Return outcomes, time, difference and both ends at some of the looks, the last one among them."""
    looks = len(found.counts)
    step = max(LEAST_STEP, -(-looks // MOST_POINTS))
    places = range(looks - 1, min(LEAST_OUTCOMES, looks) - 2, -step)
    return [
        [
            int(found.counts[place]),
            found.times[place].isoformat(),
            float(found.differences[place]),
            float(found.differences[place] - found.reaches[place]),
            float(found.differences[place] + found.reaches[place]),
        ]
        for place in reversed(places)
    ]
