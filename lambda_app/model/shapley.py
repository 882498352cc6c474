"""Which measurements moved a prediction, and by how much: exact Shapley values against the training mean.

Shapley, "A value for n-person games" (1953). A coalition is a set of measurements that are the patient's own, while the
others are held at their mean; what a measurement contributes is what it adds to a coalition, averaged over all orders
in which they could join.
"""

from collections.abc import Callable, Sequence
from itertools import product
from math import factorial


def explain_prediction(
    predict: Callable[[Sequence[Sequence[float]]], Sequence[float]], patient: Sequence[float], mean: Sequence[float]
) -> tuple[float, list[float]]:
    """What `predict`, (n, features) to (n,), answers for the mean, and each measurement's part in the difference.

    The parts, (features,), and the first number sum to what it answers for the patient. It is asked once, with every
    coalition.
    """
    count = len(patient)
    # A coalition is a number whose bits say who is in it; nobody comes first.
    coalitions = range(2**count)
    # A product turns its last factor first, and a number its lowest bit.
    pairs = list(zip(mean, patient, strict=True))
    values = predict([row[::-1] for row in product(*reversed(pairs))])
    # In how many of all orders those of a coalition, and nobody else, have come when the next one joins.
    weights = [factorial(size) * factorial(count - 1 - size) / factorial(count) for size in range(count)]
    parts = [
        sum(
            weights[coalition.bit_count()] * (values[coalition | 1 << member] - values[coalition])
            for coalition in coalitions
            if not coalition >> member & 1
        )
        for member in range(count)
    ]
    return values[0], parts
