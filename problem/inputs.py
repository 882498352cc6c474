"""The linear map from scaled features to the network's inputs: the place for knowledge of the domain."""

import numpy as np
from numpy.typing import NDArray

from problem.table import TABLE

# The share of its scale at which the network gets s4, which is s1 / s3: what repeats others shall weigh little.
RATIO_SHARE = 0.3

DESCRIPTION = (
    "In place of total cholesterol the members get VLDL (very low-density lipoproteins): s1 = s2 + s3 + VLDL in this "
    "data, so beside s2 and s3 both say the same, and VLDL is easier to learn from. They get s4, which is s1 / s3, at "
    f"{RATIO_SHARE:g} of its scale."
)


def find_input_map(scales: NDArray[np.float64], scaled: NDArray[np.float64]) -> NDArray[np.float64]:
    """The matrix, (features, inputs), that scaled features are multiplied by. The identity changes nothing.

    `scales`, (features,), are the standard deviations that the scaler divides by; `scaled`, (n, features), are the
    training rows after it.

    Cholesterol is carried by LDL, HDL and VLDL, and the data's total (s1) is the sum of the three. Beside s2 and s3 the
    total says only what VLDL is, in a direction of little variance that every penalty on weights shrinks. So VLDL, with
    a variance of one, takes its place, and s4 steps back. The map can be inverted: no measurement is lost.
    """
    s1, s2, s3, s4 = (TABLE.names.index(name) for name in ("s1", "s2", "s3", "s4"))
    vldl = np.zeros(len(scales))
    vldl[[s1, s2, s3]] = np.array([1, -1, -1]) * scales[[s1, s2, s3]]
    inputs = np.eye(len(scales))
    inputs[:, s1] = vldl / (scaled @ vldl).std()
    inputs[s4, s4] = RATIO_SHARE
    return inputs
