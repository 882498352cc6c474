"""The default runtime: `model.tflite` and `scaler.json`. Loading takes a millisecond, a row 20 microseconds."""

import json
from collections.abc import Mapping, Sequence

from lambda_app.model.bundle import RUNTIME_FILES
from lambda_app.model.compiled_model import CompiledModel
from lambda_app.model.json_numbers import read_numbers
from problem.table import TABLE


class LiteRtRuntime:
    """The scaler, and the network in LiteRT. Not safe for two threads.

    Raises LiteRtError or ValueError with the fault of a file.
    """

    FILES = RUNTIME_FILES["litert"]

    def __init__(self, files: Mapping[str, bytes]) -> None:
        self.training_mean, self._scale = _read_scaler(files["scaler.json"])
        # Identified by their width, because the converter chooses names and order of the outputs.
        self._network = CompiledModel(files["model.tflite"], outputs=2)
        if (self._network.input_width, self._network.output_widths[0]) != (len(TABLE.names), 1):
            raise ValueError("the network of model.tflite does not map rows of the measurements to one number each")

    def predict(self, rows: Sequence[Sequence[float]]) -> tuple[list[float], list[list[float]]]:
        """Map features in real units, (n, features), to predictions, (n,), and each fold's, (n, folds)."""
        scaled = [
            [(value - mean) / scale for value, mean, scale in zip(row, self.training_mean, self._scale, strict=True)]
            for row in rows
        ]
        predicted, fold_means = self._network.run(scaled)
        return [value for [value] in predicted], fold_means


def _read_scaler(content: bytes) -> tuple[Sequence[float], Sequence[float]]:
    """Return mean and scale of each measurement; raises ValueError with the fault of the file."""
    try:
        scaler = json.loads(content)
        mean, scale = (read_numbers(scaler[name], len(TABLE.names)) for name in ("mean", "scale"))
        if min(scale) <= 0:
            raise ValueError("a scale is not above zero")
    except (KeyError, TypeError, ValueError, RecursionError) as error:
        raise ValueError(f"scaler.json is not a scaler: {error!r}") from error
    return mean, scale
