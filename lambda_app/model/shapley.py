"""Attributes a prediction to its features: Shapley values against the training mean.

Shapley, "A value for n-person games" (1953). A coalition is a set of features that have the case's own values, while
the others are held at their mean; what a feature contributes is what it adds to a coalition, averaged over all orders
in which they could join.

Every feature more doubles the coalitions. Beyond 12 features some orders are drawn in place of all, as by Castro, Gómez
and Tejada, "Polynomial calculation of the Shapley value based on sampling", Computers & Operations Research 36 (2009);
each order comes with its reverse, which makes the estimate better for the same work.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import islice, pairwise, product
from math import factorial, fsum, sqrt
from random import Random

MAX_EXACT_FEATURES = 12
# Of an estimate: as many as the most exact values take. With very many features a pair of orders takes hundreds.
ESTIMATE_ROWS = 2**MAX_EXACT_FEATURES
MIN_PAIRS = 16

# (n, features) to (n,).
Predict = Callable[[Sequence[Sequence[float]]], Sequence[float]]


@dataclass(frozen=True)
class Attribution:
    """The model's answer for the mean, `base_value`, and each feature's part in the difference, (features,).

    Base value and contributions sum to what it answers for the case, be they exact or estimated. `standard_errors`,
    (features,), are those of an estimate; None where the contributions are exact.
    """

    base_value: float
    contributions: Sequence[float]
    standard_errors: Sequence[float] | None


def explain_prediction(predict: Predict, case: Sequence[float], mean: Sequence[float]) -> Attribution:
    """Explain what `predict` answers for a case, (features,). The same case gets the same answer again."""
    if len(case) <= MAX_EXACT_FEATURES:
        return compute_contributions(predict, case, mean)
    return estimate_contributions(predict, case, mean)


def compute_contributions(predict: Predict, case: Sequence[float], mean: Sequence[float]) -> Attribution:
    """The exact values; `predict` is asked once, with every coalition."""
    count = len(case)
    # A coalition is a number whose bits say who is in it; nobody comes first.
    coalitions = range(2**count)
    # A product turns its last factor first, and a number its lowest bit.
    pairs = list(zip(mean, case, strict=True))
    values = predict([row[::-1] for row in product(*reversed(pairs))])
    # In how many of all orders those of a coalition, and nobody else, have come when the next one joins.
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
    """The values over orders that are drawn, with their standard errors; `predict` is asked once."""
    count = len(case)
    # Seeded by the case, so that asking again changes nothing.
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
    # The two orders of a pair are no independent draws; the pairs are.
    pairs = [[(a + b) / 2 for a, b in zip(*two, strict=True)] for two in zip(gains[::2], gains[1::2], strict=True)]
    contributions, errors = zip(*map(_average, zip(*pairs, strict=True)), strict=True)
    return Attribution(base_value, contributions, errors)


def _list_gains(order: Sequence[int], values: Sequence[float]) -> list[float]:
    """The gain of each feature, (features,), when they join in this order; `values` starts before the first."""
    gains = [0.0] * len(order)
    for member, (before, after) in zip(order, pairwise(values), strict=True):
        gains[member] = after - before
    return gains


def _average(draws: Sequence[float]) -> tuple[float, float]:
    """The mean and its standard error."""
    mean = fsum(draws) / len(draws)
    variance = fsum((draw - mean) ** 2 for draw in draws) / (len(draws) - 1)
    return mean, sqrt(variance / len(draws))
