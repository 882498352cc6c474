"""The other runtime: `tf_model.h5` and `scaler.pkl`, for a network that LiteRT cannot convert.

Both files execute code when they are loaded, so their digests are checked first. `require_libraries` checks the
versions of the libraries, because another version might load a different model.
"""

import io
import tempfile
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path

import joblib
import keras
import numpy as np
import sklearn
import tensorflow as tf
from numpy.typing import NDArray
from sklearn.exceptions import InconsistentVersionWarning

from lambda_app.errors import BundleError
from lambda_app.model.bundle import RUNTIME_FILES

# The libraries that write and read the two files, by distribution name.
LIBRARIES = {
    "scikit-learn": sklearn.__version__,
    "joblib": joblib.__version__,
    "numpy": np.__version__,
    "keras": keras.__version__,
    "tensorflow": tf.__version__,
}

# The locks have one version of these for all Pythons. NumPy's version differs, but not its format of arrays.
_COMPARED = LIBRARIES.keys() - {"numpy"}

# A row takes about 40 KB of memory in the network.
_ROWS_AT_ONCE = 4096


def require_libraries(trained: Mapping[str, str]) -> None:
    """Raise BundleError unless the named libraries, except NumPy, have the versions of the training."""
    different = [
        f"{name} {trained[name]}, here it is {LIBRARIES[name]}"
        for name in sorted(_COMPARED & trained.keys())
        if trained[name] != LIBRARIES[name]
    ]
    if different:
        raise BundleError(f"the model was trained with {'; '.join(different)}: train it again with these versions")


class FoldAnswers:
    """The network with a second output: the mean prediction of each fold's members, for the intervals."""

    def __init__(self, network: keras.Model) -> None:
        outputs = [network.output, network.get_layer("folds").output]
        self.network = keras.Model(network.inputs[0], outputs)

    def __call__(self, scaled: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Map scaled features, (n, features), to predictions, (n,), and each fold's, (n, folds)."""
        # A call takes 3 ms, .predict() 70 ms, because it builds a data pipeline.
        rows = scaled.astype(np.float32)
        parts = [rows[start : start + _ROWS_AT_ONCE] for start in range(0, len(rows), _ROWS_AT_ONCE)]
        answers = [self.network(part, training=False) for part in parts]
        mean, folds = (
            np.concatenate([output.numpy() for output in outputs]).astype(np.float64)
            for outputs in zip(*answers, strict=True)
        )
        return mean.reshape(-1), folds


class TensorFlowRuntime:
    """The scaler of scikit-learn and the network of Keras."""

    FILES = RUNTIME_FILES["tensorflow"]

    def __init__(self, files: Mapping[str, bytes]) -> None:
        with warnings.catch_warnings():
            # The pickle contains its own version, independent of the manifest.
            warnings.simplefilter("error", InconsistentVersionWarning)
            self._scaler = joblib.load(io.BytesIO(files["scaler.pkl"]))
        self.training_mean: Sequence[float] = self._scaler.mean_.tolist()
        # Keras reads HDF5 only from a path.
        with tempfile.TemporaryDirectory() as directory:
            path = Path(directory, "tf_model.h5")
            path.write_bytes(files["tf_model.h5"])
            self._answers = FoldAnswers(keras.saving.load_model(path, compile=False))

    def predict(self, rows: Sequence[Sequence[float]]) -> tuple[list[float], list[list[float]]]:
        """Map features in real units, (n, features), to predictions, (n,), and each fold's, (n, folds)."""
        predicted, fold_means = self._answers(self._scaler.transform(np.array(rows, dtype=np.float64)))
        return predicted.tolist(), fold_means.tolist()
