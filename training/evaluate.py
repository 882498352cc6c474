"""Judges a model on rows that it has never seen."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import mean_absolute_error, r2_score, root_mean_squared_error

from training.data import Rows
from training.fit import Model


@dataclass(frozen=True)
class Evaluation:
    """`predicted` and `actual` (n,), and errors in the target's units; R² is 1 at best, 0 for the rows' mean."""

    predicted: NDArray[np.float64]
    actual: NDArray[np.float64]
    rmse: float
    mae: float
    r2: float


def evaluate_model(model: Model, rows: Rows) -> Evaluation:
    """Predict the rows and compare."""
    predicted = model.predict(rows)
    return Evaluation(
        predicted,
        rows.targets,
        rmse=float(root_mean_squared_error(rows.targets, predicted)),
        mae=float(mean_absolute_error(rows.targets, predicted)),
        r2=float(r2_score(rows.targets, predicted)),
    )
