"""The linear map from scaled features to the network's inputs: the place for knowledge of the domain."""

import numpy as np
from numpy.typing import NDArray

DESCRIPTION = "The members get the scaled features as they are."


def find_input_map(scales: NDArray[np.float64], scaled: NDArray[np.float64]) -> NDArray[np.float64]:
    """The matrix, (features, inputs), that scaled features are multiplied by. The identity changes nothing.

    `scales`, (features,), are the standard deviations that the scaler divides by; `scaled`, (n, features), are the
    training rows after it.
    """
    return np.eye(len(scales))
