"""The gate between training and serving: both forms of a model, as written, must answer alike."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lambda_app.model.litert import LiteRtRuntime
from lambda_app.model.native_log import silence_native_log
from lambda_app.model.tensorflow import TensorFlowRuntime
from training.errors import ParityError


def check_parity(directory: Path, features: NDArray[np.float64], tolerance: float) -> float:
    """Predict `features`, (n, features) in the units of the table, with both runtimes from the files on disk.

    Return the largest difference, the folds' answers included. ParityError when any is above `tolerance`, in units of
    the target, or not a number.
    """
    with silence_native_log():
        served, trained = (
            np.column_stack(
                runtime({name: (directory / name).read_bytes() for name in runtime.FILES}).predict(features.tolist())
            )
            for runtime in (LiteRtRuntime, TensorFlowRuntime)
        )
    # Each row's worst, over the ensemble's answer and those of its folds, which the intervals are made of.
    differences = np.abs(served - trained).max(axis=1)
    # Asked this way round, a NaN fails: it compares false with everything.
    agrees = differences <= tolerance
    if not agrees.all():
        raise ParityError(
            f"{np.count_nonzero(~agrees)} of {len(agrees)} predictions of the exported model differ from the trained "
            f"one's by more than {tolerance:g}, at worst by {differences.max():g}; nothing was exported"
        )
    return float(differences.max())
