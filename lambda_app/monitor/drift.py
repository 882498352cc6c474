"""Drift: whether new cases are spread over the reference bins as those of the training were.

For each column a chi-squared test of two samples, because the counts of the training are a sample too, and Holm's
correction for several columns. A column drifts if its adjusted p is below `alpha` and the difference is not small.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from lambda_app.monitor.reference import Reference

# Fewer cases than this are not tested.
LEAST_CASES = 100
# The least Cramér's V of a drift. A mean that moves by a fifth of a standard deviation gives about 0.1.
# The reference of the prediction comes from models of four fifths of the rows, and that alone gives up to 0.12.
LEAST_V = {"feature": 0.1, "prediction": 0.15}
# The least expected count of a bin in either sample; bins with less are joined with their neighbours.
LEAST_EXPECTED = 5.0
DAYS_PER_YEAR = 365.25

Counts = NDArray[np.int64]
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Comparison:
    """The result for a column. `cramers_v` weighs both samples alike, so that their sizes do not change it.

    A drift has at least `least_v`.
    """

    cases: int
    p: float
    adjusted_p: float
    cramers_v: float
    least_v: float
    psi: float
    is_drift: bool


def find_alpha(false_alarms_per_year: float) -> float:
    """The level of a daily run: without drift, at most so many runs a year give an alarm on average."""
    return false_alarms_per_year / DAYS_PER_YEAR


def compare_columns(
    references: Sequence[Reference], windows: Sequence[Sequence[int]], alpha: float
) -> list[Comparison]:
    """Compare the counts of each column in the window with its reference."""
    pairs = [
        join_bins(np.array(reference.counts), np.array(counts))
        for reference, counts in zip(references, windows, strict=True)
    ]
    p = np.array([find_p(*pair) for pair in pairs])
    cramers_v = np.array([measure_v(*pair) for pair in pairs])
    adjusted = adjust_holm(p)
    least_v = np.array([LEAST_V[reference.kind] for reference in references])
    drifted = judge(adjusted, cramers_v, alpha, least_v)
    return [
        Comparison(
            cases=sum(windows[place]),
            p=float(p[place]),
            adjusted_p=float(adjusted[place]),
            cramers_v=float(cramers_v[place]),
            least_v=float(least_v[place]),
            psi=measure_psi(*pair),
            is_drift=bool(drifted[place]),
        )
        for place, pair in enumerate(pairs)
    ]


def judge(
    adjusted_p: Floats, cramers_v: Floats, alpha: float, least_v: Floats | float = LEAST_V["feature"]
) -> NDArray[np.bool_]:
    """Return True for columns that drift: more than chance, and more than a little."""
    return (adjusted_p < alpha) & (cramers_v >= least_v)


def join_bins(before: Counts, now: Counts) -> tuple[Counts, Counts]:
    """Join neighbouring bins, (..., bins), in which a sample is expected to have too few.

    The expectation is by the shares of the reference alone: bins chosen by the window would change the test.
    """
    share = min(1.0, now.sum() / before.sum()) if before.sum() else 0.0
    starts: list[int] = []
    expected = LEAST_EXPECTED
    for place, count in enumerate(before.tolist()):
        if expected >= LEAST_EXPECTED:
            starts.append(place)
            expected = 0.0
        expected += count * share
    if expected < LEAST_EXPECTED and len(starts) > 1:
        starts.pop()
    return np.add.reduceat(before, starts), np.add.reduceat(now, starts)


def find_p(before: Counts, now: Counts) -> Floats:
    """Return the p of Pearson's chi-squared test for counts (bins,) and windows (..., bins), all with cases."""
    first, second = np.broadcast_arrays(before, now)
    bins = first.shape[-1]
    if bins < 2:
        return np.ones(first.shape[:-1])
    sizes = [sample.sum(axis=-1, keepdims=True) for sample in (first, second)]
    pooled = (first + second) / (sizes[0] + sizes[1])
    observed = np.concatenate([first, second], axis=-1)
    expected = np.concatenate([pooled * size for size in sizes], axis=-1)
    # A row and a column more are fixed than for one sample: bins - 1 degrees of freedom remain.
    p: Floats = stats.chisquare(observed, expected, ddof=bins, axis=-1).pvalue
    return p


def measure_v(before: Counts, now: Counts) -> Floats:
    """Return Cramér's V of the shares, from 0 to 1; shapes as for `find_p`."""
    if before.shape[-1] < 2:
        return np.zeros(now.shape[:-1])
    first, second = _find_shares(before), _find_shares(now)
    total = first + second
    parts = np.divide((first - second) ** 2, total, out=np.zeros(total.shape), where=total > 0)
    v: Floats = np.sqrt(parts.sum(axis=-1) / 2)
    return v


def measure_psi(before: Counts, now: Counts) -> float:
    """Return the population stability index of counts (bins,), with half a case more in each, so that none is zero."""
    first, second = _find_shares(before + 0.5), _find_shares(now + 0.5)
    return float(((second - first) * np.log(second / first)).sum())


def adjust_holm(p: Floats) -> Floats:
    """Return the p of several tests, (..., tests), adjusted by Holm's step-down method."""
    order = np.argsort(p, axis=-1)
    steps = np.take_along_axis(p, order, axis=-1) * np.arange(p.shape[-1], 0, -1)
    rising = np.maximum.accumulate(steps, axis=-1).clip(max=1.0)
    adjusted: Floats = np.empty(p.shape)
    np.put_along_axis(adjusted, order, rising, axis=-1)
    return adjusted


def _find_shares(counts: NDArray[np.generic]) -> Floats:
    shares: Floats = counts / np.sum(counts, axis=-1, keepdims=True)
    return shares
