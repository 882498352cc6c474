"""The default runtime: `model.tflite` and `scaler.json`, tens of milliseconds to load, microseconds a row."""

import json
from collections.abc import Mapping
from typing import Any

import numpy as np
from ai_edge_litert.interpreter import Interpreter
from numpy.typing import NDArray

from lambda_app.model.bundle import RUNTIME_FILES

# What the members answer for so many rows between two layers still fits the cache: a thousand rows at once take more
# than twice as long.
PART_ROWS = 32


class LiteRtRuntime:
    """Scaler and network as LiteRT runs them. Not safe for two threads at once."""

    FILES = RUNTIME_FILES["litert"]

    def __init__(self, files: Mapping[str, bytes]) -> None:
        scaler = json.loads(files["scaler.json"])
        self.training_mean = np.array(scaler["mean"], dtype=np.float64)
        self._scale = np.array(scaler["scale"], dtype=np.float64)
        # One thread: a row takes microseconds, and a Lambda of this size has less than one core.
        self._interpreter = Interpreter(model_content=files["model.tflite"], num_threads=1)
        self._input = self._interpreter.get_input_details()[0]["index"]
        # By their width: the converter orders outputs by names that it makes up.
        self._mean_output, self._folds_output = (
            output["index"] for output in sorted(self._interpreter.get_output_details(), key=_read_width)
        )
        self._allocated_rows = 0

    def predict(self, rows: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Map measurements in real units, (n, 10), to disease progression, (n,), and each fold's, (n, folds)."""
        parts = [self._predict_part(rows[start : start + PART_ROWS]) for start in range(0, len(rows), PART_ROWS)]
        means, folds = zip(*parts, strict=True)
        return np.concatenate(means), np.concatenate(folds)

    def _predict_part(self, rows: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        if len(rows) != self._allocated_rows:
            self._interpreter.resize_tensor_input(self._input, rows.shape)
            self._interpreter.allocate_tensors()
            self._allocated_rows = len(rows)
        scaled = (rows - self.training_mean) / self._scale
        self._interpreter.set_tensor(self._input, scaled.astype(np.float32))
        self._interpreter.invoke()
        mean: NDArray[np.float32] = self._interpreter.get_tensor(self._mean_output)
        folds: NDArray[np.float32] = self._interpreter.get_tensor(self._folds_output)
        return mean.reshape(-1).astype(np.float64), folds.astype(np.float64)


def _read_width(output: dict[str, Any]) -> int:
    return int(output["shape"][-1])
