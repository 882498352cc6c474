"""Shapley values: the contribution of each feature to a prediction, compared with the training mean.

Shapley, "A value for n-person games" (1953). A coalition is a set of features with the values of the case; the others
have their mean. The contribution of a feature is the change when it joins a coalition, averaged over all orders of
joining.

Each feature doubles the number of coalitions. Beyond 12 features, the values are estimated from random orders, as by
Castro, Gómez and Tejada, "Polynomial calculation of the Shapley value based on sampling", Computers & Operations
Research 36 (2009). Each order is used with its reverse, which makes the estimate better for the same work.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import islice, pairwise, product
from math import factorial, fsum, sqrt
from random import Random

MAX_EXACT_FEATURES = 12
# An estimate takes as many rows as the largest exact computation. A pair of orders takes two rows a feature.
ESTIMATE_ROWS = 2**MAX_EXACT_FEATURES
MIN_PAIRS = 16

# (n, features) to (n,).
Predict = Callable[[Sequence[Sequence[float]]], Sequence[float]]


@dataclass(frozen=True)
class Attribution:
    """The prediction for the mean, `base_value`, and the contribution of each feature, (features,).

    Base value and contributions sum to the prediction for the case, also if they are estimated. `standard_errors`,
    (features,), belong to an estimate; None if the contributions are exact.
    """

    base_value: float
    contributions: Sequence[float]
    standard_errors: Sequence[float] | None


def explain_prediction(predict: Predict, case: Sequence[float], mean: Sequence[float]) -> Attribution:
    """Explain the prediction for a case, (features,). The same case always gets the same result."""
    if len(case) <= MAX_EXACT_FEATURES:
        return compute_contributions(predict, case, mean)
    return estimate_contributions(predict, case, mean)


def compute_contributions(predict: Predict, case: Sequence[float], mean: Sequence[float]) -> Attribution:
    """Compute the exact values; calls `predict` once, with every coalition."""
    count = len(case)
    # The bits of a number are the members of a coalition; the empty one is first.
    coalitions = range(2**count)
    # `product` changes its last factor fastest, a counter its lowest bit. So both are reversed.
    pairs = list(zip(mean, case, strict=True))
    values = predict([row[::-1] for row in product(*reversed(pairs))])
    # The share of all orders in which exactly the members of a coalition have joined before the next one.
    weights = [factorial(size) * factorial(count - 1 - size) / factorial(count) for size in range(count)]
    contributions = [
        sum(
            weights[coalition.bit_count()] * (values[coalition | 1 << member] - values[coalition])
            for coalition in coalitions
            if not coalition >> member & 1
        )
        for member in range(count)
    ]
    return Attribution(values[0], contributions, None)


def estimate_contributions(predict: Predict, case: Sequence[float], mean: Sequence[float]) -> Attribution:
    """Estimate the values from random orders, with standard errors; calls `predict` once."""
    count = len(case)
    # Seeded by the case, so that a repeated request gets the same result.
    random = Random(repr([float(value) for value in case]))
    pair_count = max(MIN_PAIRS, ESTIMATE_ROWS // (2 * (count - 1)))
    drawn = [random.sample(range(count), count) for _ in range(pair_count)]
    orders = [order for one in drawn for order in (one, one[::-1])]
    rows = [list(mean), list(case)]
    for order in orders:
        row = list(mean)
        for member in order[:-1]:
            row[member] = case[member]
            rows.append(row.copy())
    base_value, whole, *between = predict(rows)
    steps = iter(between)
    gains = [_list_gains(order, [base_value, *islice(steps, count - 1), whole]) for order in orders]
    # The two orders of a pair are not independent, but the pairs are.
    pairs = [[(a + b) / 2 for a, b in zip(*two, strict=True)] for two in zip(gains[::2], gains[1::2], strict=True)]
    contributions, errors = zip(*map(_average, zip(*pairs, strict=True)), strict=True)
    return Attribution(base_value, contributions, errors)


def _list_gains(order: Sequence[int], values: Sequence[float]) -> list[float]:
    """Return the gain of each feature, (features,), in this order; `values` starts before the first."""
    gains = [0.0] * len(order)
    for member, (before, after) in zip(order, pairwise(values), strict=True):
        gains[member] = after - before
    return gains


def _average(draws: Sequence[float]) -> tuple[float, float]:
    """Return the mean and its standard error."""
    mean = fsum(draws) / len(draws)
    variance = fsum((draw - mean) ** 2 for draw in draws) / (len(draws) - 1)
    return mean, sqrt(variance / len(draws))
