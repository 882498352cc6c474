"""Which measurements moved a prediction, and by how much: exact Shapley values against the training mean.

Shapley, "A value for n-person games" (1953). A coalition is a set of measurements that are the patient's own, while the
others are held at their mean; what a measurement contributes is what it adds to a coalition, averaged over all orders
in which they could join.
"""

from collections.abc import Callable
from functools import cache
from math import factorial

import numpy as np
from numpy.typing import NDArray


def explain_prediction(
    predict: Callable[[NDArray[np.float64]], NDArray[np.float64]],
    patient: NDArray[np.float64],
    mean: NDArray[np.float64],
) -> tuple[float, NDArray[np.float64]]:
    """What `predict`, (n, features) to (n,), answers for the mean, and each measurement's part in the difference.

    The parts, (features,), and the first number sum to what it answers for the patient. It is asked once, with every
    coalition.
    """
    coalitions, weights = _weigh_coalitions(len(patient))
    values = predict(np.where(coalitions, patient, mean))
    return float(values[0]), weights @ values


# A thousand coalitions of ten measurements. Made when the first explanation is asked for and not at the start.
@cache
def _weigh_coalitions(count: int) -> tuple[NDArray[np.bool_], NDArray[np.float64]]:
    """Who is in each coalition, (2^count, count), nobody first; what its value weighs for each, (count, 2^count)."""
    coalitions = (np.arange(2**count)[:, None] >> np.arange(count)) & 1 == 1
    sizes = coalitions.sum(axis=1)
    orders = np.array([factorial(size) * factorial(count - 1 - size) for size in range(count)]) / factorial(count)
    # A member joined a coalition smaller by one; who is not in it could join.
    joined, joining = orders[np.maximum(sizes - 1, 0)], orders[np.minimum(sizes, count - 1)]
    return coalitions, np.where(coalitions.T, joined, -joining)
