"""Judges a training on patients it has not seen: each is held out once, and an ensemble of the others predicts them."""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import RidgeCV
from sklearn.metrics import mean_absolute_error, r2_score, root_mean_squared_error
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from training.data import HELD_OUT_FOLDS, Rows, hold_out
from training.fit import Ensemble, Schedule, fit_ensembles

RIDGE_PENALTIES = np.logspace(-1, 3, 30)
PERMUTATIONS = 20
RESAMPLES = 2000
CONFIDENCE = 0.95


@dataclass(frozen=True)
class Scores:
    """Errors in the target's units; R² is 1 at best, 0 for the rows' mean."""

    rmse: float
    mae: float
    r2: float


@dataclass(frozen=True)
class Validation:
    """All patients as held-out ones. `intervals` (n, 2); `ridge` is what ridge regression says on the same folds, (n,).

    `importance` (features, permutations): by how much the RMSE grows when a measurement is dealt anew among the
    held-out patients.
    """

    actual: NDArray[np.float64]
    predicted: NDArray[np.float64]
    intervals: NDArray[np.float64]
    ridge: NDArray[np.float64]
    importance: NDArray[np.float64]

    @property
    def covered(self) -> NDArray[np.bool_]:
        """Whose interval holds the truth, (n,)."""
        return find_covered(self.actual, self.intervals)


def validate_training(
    rows: Rows, seed: int, *, epochs: int, schedule: Schedule, report_epoch: Callable[[int], None]
) -> Validation:
    """Train an ensemble for each held-out fold, as for a version, and ask it about that fold."""
    folds = hold_out(rows)
    trainings = [rows.take(training) for training, _ in folds]
    ensembles = fit_ensembles(trainings, seed, epochs=epochs, schedule=schedule, report_epoch=report_epoch)
    generator = np.random.default_rng(seed)
    predicted, ridge = np.empty(len(rows)), np.empty(len(rows))
    intervals = np.empty((len(rows), 2))
    permuted = np.empty((rows.features.shape[1], PERMUTATIONS, len(rows)))
    for ensemble, (training, held_out) in zip(ensembles, folds, strict=True):
        features = rows.features[held_out]
        predicted[held_out] = ensemble.predict(features)
        intervals[held_out] = ensemble.predict_intervals(features)
        ridge[held_out] = build_ridge().fit(rows.features[training], rows.targets[training]).predict(features)
        permuted[:, :, held_out] = _permute(ensemble, features, generator)
    rmse = score(rows.targets, predicted).rmse
    importance = np.sqrt(((permuted - rows.targets) ** 2).mean(axis=-1)) - rmse
    return Validation(rows.targets, predicted, intervals, ridge, importance)


def build_ridge() -> RidgeCV:
    """The linear model that a network must beat; it chooses its penalty within the rows it is fitted to."""
    return make_pipeline(StandardScaler(), RidgeCV(RIDGE_PENALTIES))


def score(actual: NDArray[np.float64], predicted: NDArray[np.float64]) -> Scores:
    """Compare predictions, (n,), with the truth."""
    return Scores(
        rmse=float(root_mean_squared_error(actual, predicted)),
        mae=float(mean_absolute_error(actual, predicted)),
        r2=float(r2_score(actual, predicted)),
    )


def find_covered(actual: NDArray[np.float64], intervals: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Whose interval, (n, 2), holds the truth, (n,)."""
    covered: NDArray[np.bool_] = (intervals[:, 0] <= actual) & (actual <= intervals[:, 1])
    return covered


def split_by_prediction(predicted: NDArray[np.float64], parts: int) -> list[NDArray[np.intp]]:
    """Positions of the patients with the lowest predictions, the next, and so on."""
    return np.array_split(np.argsort(predicted), parts)


def describe_intervals(
    actual: NDArray[np.float64], predicted: NDArray[np.float64], intervals: NDArray[np.float64]
) -> dict[str, Any]:
    """Coverage and mean width of intervals, (n, 2), over all and by thirds of the prediction, lowest first."""
    covered = find_covered(actual, intervals)
    widths = intervals[:, 1] - intervals[:, 0]
    thirds = split_by_prediction(predicted, 3)
    return {
        "coverage": float(covered.mean()),
        "coverage_by_third": [float(covered[third].mean()) for third in thirds],
        "mean_width": float(widths.mean()),
        "mean_width_by_third": [float(widths[third].mean()) for third in thirds],
    }


def describe_validation(validation: Validation) -> dict[str, Any]:
    """The figures for the manifest. Those in `confidence` are 95 % intervals over the patients."""
    count = len(validation.actual)
    return {
        "held_out": {
            "rows": count,
            "folds": HELD_OUT_FOLDS,
            **asdict(score(validation.actual, validation.predicted)),
            **describe_intervals(validation.actual, validation.predicted, validation.intervals),
        },
        "ridge": asdict(score(validation.actual, validation.ridge)),
        "confidence": _estimate_confidence(validation),
    }


def _estimate_confidence(validation: Validation) -> dict[str, list[float]]:
    """Lower and upper end of each figure, by drawing the patients again with replacement."""
    count = len(validation.actual)
    drawn = np.random.default_rng(0).integers(0, count, (RESAMPLES, count))
    errors, ridge_errors = (
        np.abs(predicted - validation.actual)[drawn] for predicted in (validation.predicted, validation.ridge)
    )
    squared = (errors**2).mean(axis=1)
    figures = {
        "rmse": np.sqrt(squared),
        "mae": errors.mean(axis=1),
        "r2": 1 - squared / validation.actual[drawn].var(axis=1),
        "rmse_less_ridge": np.sqrt(squared) - np.sqrt((ridge_errors**2).mean(axis=1)),
        "coverage": validation.covered[drawn].mean(axis=1),
    }
    ends = ((1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2)
    return {name: np.quantile(figure, ends).tolist() for name, figure in figures.items()}


def _permute(ensemble: Ensemble, features: NDArray[np.float64], generator: np.random.Generator) -> NDArray[np.float64]:
    """Predictions, (features, PERMUTATIONS, n), with one measurement at a time dealt anew among the patients."""
    count, width = features.shape
    dealt = np.tile(features, (width, PERMUTATIONS, 1, 1))
    for feature in range(width):
        for permutation in range(PERMUTATIONS):
            dealt[feature, permutation, :, feature] = generator.permutation(features[:, feature])
    return ensemble.predict(dealt.reshape(-1, width)).reshape(width, PERMUTATIONS, count)
