"""The default runtime: `model.tflite` and `scaler.json`, a millisecond to load, twenty microseconds a row."""

import json
from collections.abc import Mapping, Sequence

from lambda_app.model.bundle import RUNTIME_FILES
from lambda_app.model.compiled_model import CompiledModel


class LiteRtRuntime:
    """Scaler and network as LiteRT runs them. Not safe for two threads at once."""

    FILES = RUNTIME_FILES["litert"]

    def __init__(self, files: Mapping[str, bytes]) -> None:
        scaler = json.loads(files["scaler.json"])
        self.training_mean: list[float] = scaler["mean"]
        self._scale: list[float] = scaler["scale"]
        self._network = CompiledModel(files["model.tflite"], outputs=2)

    def predict(self, rows: Sequence[Sequence[float]]) -> tuple[list[float], list[list[float]]]:
        """Map measurements in real units, (n, 10), to disease progression, (n,), and each fold's, (n, folds)."""
        scaled = [
            [(value - mean) / scale for value, mean, scale in zip(row, self.training_mean, self._scale, strict=True)]
            for row in rows
        ]
        # By their width: the converter names and orders the outputs as it likes.
        predicted, fold_means = self._network.run(scaled)
        return [value for [value] in predicted], fold_means
