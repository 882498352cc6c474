"""The gate between training and serving: both forms of a model on disk must give the same predictions."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lambda_app.model.litert import LiteRtRuntime
from lambda_app.model.native_log import silence_native_log
from lambda_app.model.tensorflow import TensorFlowRuntime
from training.errors import ParityError


def check_parity(directory: Path, features: NDArray[np.float64], tolerance: float) -> float:
    """Predict `features`, (n, features) in the units of the table, with both runtimes from the files on disk.

    Return the largest difference, with those of the fold means. Raises ParityError if one is above `tolerance`, in
    units of the target, or NaN.
    """
    with silence_native_log():
        served, trained = (
            np.column_stack(
                runtime({name: (directory / name).read_bytes() for name in runtime.FILES}).predict(features.tolist())
            )
            for runtime in (LiteRtRuntime, TensorFlowRuntime)
        )
    # The largest difference of each row, for the prediction and for the fold means of the intervals.
    differences = np.abs(served - trained).max(axis=1)
    # Written this way, NaN fails too, because every comparison with it is false.
    agrees = differences <= tolerance
    if not agrees.all():
        raise ParityError(
            f"{np.count_nonzero(~agrees)} of {len(agrees)} predictions of the exported model differ from the trained "
            f"one's by more than {tolerance:g}, at worst by {differences.max():g}; nothing was exported"
        )
    return float(differences.max())
