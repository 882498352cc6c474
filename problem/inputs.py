"""The linear map from scaled features to the network's inputs, for knowledge of the domain."""

import numpy as np
from numpy.typing import NDArray

from problem.table import TABLE

# The network gets s4 at this share of its scale. s4 equals s1 / s3, so it should have less weight.
RATIO_SHARE = 0.3

DESCRIPTION = (
    "The members get VLDL (very low-density lipoproteins) instead of total cholesterol. In this data "
    "s1 = s2 + s3 + VLDL, so both have the same information, and VLDL is easier to learn from. They get s4 (equal to "
    f"s1 / s3) at {RATIO_SHARE:g} of its scale."
)


def find_input_map(scales: NDArray[np.float64], scaled: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the matrix, (features, inputs), to multiply scaled features by. The identity changes nothing.

    `scales`, (features,), are the standard deviations of the scaler; `scaled`, (n, features), are the scaled training
    rows.

    Total cholesterol (s1) is the sum of LDL (s2), HDL (s3) and VLDL. Besides s2 and s3, it adds only the information of
    VLDL, in a direction of small variance that penalties on weights suppress. So VLDL with a variance of one replaces
    s1, and s4 gets less weight. The map is invertible: no measurement is lost.
    """
    s1, s2, s3, s4 = (TABLE.names.index(name) for name in ("s1", "s2", "s3", "s4"))
    vldl = np.zeros(len(scales))
    vldl[[s1, s2, s3]] = np.array([1, -1, -1]) * scales[[s1, s2, s3]]
    inputs = np.eye(len(scales))
    inputs[:, s1] = vldl / (scaled @ vldl).std()
    inputs[s4, s4] = RATIO_SHARE
    return inputs
