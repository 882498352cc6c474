"""Loads the rows of the training."""

import numpy as np
from numpy.typing import NDArray
from sklearn.datasets import load_diabetes


def load_rows() -> tuple[tuple[str, ...], NDArray[np.float64], NDArray[np.float64]]:
    """Return the names of the columns, the features (n, columns) in the units of the table, and the target (n,)."""
    data = load_diabetes(scaled=False)
    features, targets = np.asarray(data.data, dtype=np.float64), np.asarray(data.target, dtype=np.float64)
    return tuple(data.feature_names), features, targets
