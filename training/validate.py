"""Validates a training: each row is held out once and predicted by an ensemble trained on the others."""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import RidgeCV
from sklearn.metrics import mean_absolute_error, r2_score, root_mean_squared_error
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from lambda_app.model.bundle import Manifest, SeenFeature
from lambda_app.model.predictor import Predictor
from problem.table import TABLE
from training.data import HELD_OUT_FOLDS, Rows, hold_out
from training.fit import Ensemble, Schedule, fit_ensembles
from training.joint import measure_joint

RIDGE_PENALTIES = np.logspace(-1, 3, 30)
PERMUTATIONS = 20
# The number of held-out rows of a fold for the importance of features.
SHUFFLED_ROWS = 200
RESAMPLES = 2000
CONFIDENCE = 0.95


@dataclass(frozen=True)
class Scores:
    """Errors in units of the target; R² is 1 at best, and 0 for predicting the mean."""

    rmse: float
    mae: float
    r2: float


@dataclass(frozen=True)
class Validation:
    """All rows as held-out ones, predicted as in the service. `predicted` (n,), `intervals` (n, 2).

    `ridge`, (n,), are the predictions of ridge regression on the same folds. `importance`, (features, permutations), is
    the increase of the RMSE when a feature is shuffled among the held-out rows. `outside`, (n,), is true for rows with
    a warning, without a promised coverage.
    """

    actual: NDArray[np.float64]
    predicted: NDArray[np.float64]
    intervals: NDArray[np.float64]
    ridge: NDArray[np.float64]
    importance: NDArray[np.float64]
    outside: NDArray[np.bool_]

    @property
    def promised(self) -> "Validation":
        """The part with a promised coverage."""
        kept = ~self.outside
        return replace(
            self,
            **{name: getattr(self, name)[kept] for name in ("actual", "predicted", "intervals", "ridge", "outside")},
        )

    @property
    def covered(self) -> NDArray[np.bool_]:
        """True for rows with the truth in the interval, (n,)."""
        return find_covered(self.actual, self.intervals)


def validate_training(
    rows: Rows, seed: int, *, epochs: int, schedule: Schedule, report_epoch: Callable[[int], None]
) -> Validation:
    """Train an ensemble without each held-out fold, as for a version, and predict that fold."""
    folds = hold_out(rows)
    trainings = [rows.take(training) for training, _ in folds]
    ensembles = fit_ensembles(trainings, seed, epochs=epochs, schedule=schedule, report_epoch=report_epoch)
    generator = np.random.default_rng(seed)
    predicted, ridge = np.empty(len(rows)), np.empty(len(rows))
    intervals, outside = np.empty((len(rows), 2)), np.empty(len(rows), bool)
    shuffled = [held_out[:: math.ceil(len(held_out) / SHUFFLED_ROWS)] for _, held_out in folds]
    errors = []
    for ensemble, (training, held_out), some in zip(ensembles, folds, shuffled, strict=True):
        features = rows.features[held_out]
        cases = [dict(zip(TABLE.names, row, strict=True)) for row in features.tolist()]
        predictions = _make_predictor(ensemble, rows.take(training)).predict(cases)
        predicted[held_out] = [prediction.value for prediction in predictions]
        intervals[held_out] = [(one.interval.lower, one.interval.upper) for one in predictions]
        outside[held_out] = [prediction.interval.coverage is None for prediction in predictions]
        ridge[held_out] = build_ridge().fit(rows.features[training], rows.targets[training]).predict(features)
        errors.append(_shuffle_features(ensemble, rows.features[some], generator) - rows.targets[some])
    compared = np.concatenate(shuffled)
    rmse = score(rows.targets[compared], predicted[compared]).rmse
    importance = np.sqrt((np.concatenate(errors, axis=-1) ** 2).mean(axis=-1)) - rmse
    return Validation(rows.targets, predicted, intervals, ridge, importance, outside)


def build_ridge() -> RidgeCV:
    """Build the linear model for the comparison; it chooses its penalty inside its training rows."""
    return make_pipeline(StandardScaler(), RidgeCV(RIDGE_PENALTIES))


def score(actual: NDArray[np.float64], predicted: NDArray[np.float64]) -> Scores:
    """Compare predictions, (n,), with the truth."""
    return Scores(
        rmse=float(root_mean_squared_error(actual, predicted)),
        mae=float(mean_absolute_error(actual, predicted)),
        r2=float(r2_score(actual, predicted)),
    )


def find_covered(actual: NDArray[np.float64], intervals: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Return True for rows with the truth, (n,), in the interval, (n, 2)."""
    covered: NDArray[np.bool_] = (intervals[:, 0] <= actual) & (actual <= intervals[:, 1])
    return covered


def split_by_prediction(predicted: NDArray[np.float64], parts: int) -> list[NDArray[np.intp]]:
    """Return the positions of the rows in equal groups, from the lowest predictions to the highest."""
    return np.array_split(np.argsort(predicted), parts)


def describe_intervals(
    actual: NDArray[np.float64], predicted: NDArray[np.float64], intervals: NDArray[np.float64]
) -> dict[str, Any]:
    """Return coverage and mean width of intervals, (n, 2), for all rows and by thirds, lowest predictions first."""
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
    """Return the figures for the manifest. Those in `confidence` are 95 % intervals over the rows.

    Coverage and width count only rows with a promised coverage; `outside` has those of the others.
    """
    promised = validation.promised
    return {
        "held_out": {
            "rows": len(validation.actual),
            "folds": HELD_OUT_FOLDS,
            **asdict(score(validation.actual, validation.predicted)),
            "bias": measure_bias(validation.actual, validation.predicted),
            **describe_intervals(promised.actual, promised.predicted, promised.intervals),
            **_describe_thirds(validation),
            "outside": _describe_outside(validation),
        },
        "ridge": asdict(score(validation.actual, validation.ridge)),
        "confidence": _estimate_confidence(validation),
    }


def measure_bias(actual: NDArray[np.float64], predicted: NDArray[np.float64]) -> float:
    """Return the mean of prediction minus truth, both (n,)."""
    return float((predicted - actual).mean())


def _describe_thirds(validation: Validation) -> dict[str, Any]:
    """Return the predictions between the thirds of `describe_intervals`, and rows and errors of each third."""
    promised = validation.promised.predicted
    edges = [float(promised[third[0]]) for third in split_by_prediction(promised, 3)[1:]]
    third_of_row = np.searchsorted(edges, validation.predicted, side="right")
    pairs = [(validation.actual[third_of_row == n], validation.predicted[third_of_row == n]) for n in range(3)]
    scores = [score(*pair) for pair in pairs]
    return {
        "third_edges": edges,
        "rows_by_third": [len(actual) for actual, _ in pairs],
        "rmse_by_third": [one.rmse for one in scores],
        "mae_by_third": [one.mae for one in scores],
        "bias_by_third": [measure_bias(*pair) for pair in pairs],
        "r2_by_third": [one.r2 for one in scores],
    }


def _describe_outside(validation: Validation) -> dict[str, Any]:
    """Return the number of rows with a warning, with coverage and mean width of their intervals, or null."""
    outside = validation.outside
    widths = np.diff(validation.intervals[outside])
    return {
        "rows": int(outside.sum()),
        "coverage": float(validation.covered[outside].mean()) if outside.any() else None,
        "mean_width": float(widths.mean()) if outside.any() else None,
    }


def _estimate_confidence(validation: Validation) -> dict[str, list[float]]:
    """Return lower and upper ends of each figure, from bootstrap samples of the rows."""
    actual, covered = validation.actual, validation.promised.covered
    errors, ridge_errors = (np.abs(predicted - actual) for predicted in (validation.predicted, validation.ridge))
    drawn = [_measure_again(actual[rows], errors[rows], ridge_errors[rows]) for rows in _draw_again(len(actual))]
    figures = {name: [figures[name] for figures in drawn] for name in drawn[0]}
    figures["coverage"] = [covered[rows].mean() for rows in _draw_again(len(covered))]
    ends = ((1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2)
    return {name: np.quantile(figure, ends).tolist() for name, figure in figures.items()}


def _measure_again(
    actual: NDArray[np.float64], errors: NDArray[np.float64], ridge_errors: NDArray[np.float64]
) -> dict[str, float]:
    """Return the figures of a bootstrap sample, all (n,)."""
    squared, ridge_squared = (errors**2).mean(), (ridge_errors**2).mean()
    return {
        "rmse": np.sqrt(squared),
        "mae": errors.mean(),
        "r2": 1 - squared / actual.var(),
        "rmse_less_ridge": np.sqrt(squared) - np.sqrt(ridge_squared),
    }


def _draw_again(count: int) -> Iterator[NDArray[np.intp]]:
    """Yield RESAMPLES bootstrap samples as positions of rows, (count,), the same in every run."""
    generator = np.random.default_rng(0)
    # One after the other: with many rows, all together would take gigabytes.
    return (generator.integers(0, count, count) for _ in range(RESAMPLES))


class _EnsembleRuntime:
    """An ensemble with the interface of the service's runtimes."""

    def __init__(self, ensemble: Ensemble) -> None:
        self._ensemble = ensemble
        self.training_mean: Sequence[float] = ensemble.scaler.mean_.tolist()

    def predict(self, rows: Sequence[Sequence[float]]) -> tuple[list[float], list[list[float]]]:
        predicted, fold_means = self._ensemble.answer(np.array(rows))
        return predicted.tolist(), fold_means.tolist()


def _make_predictor(ensemble: Ensemble, training: Rows) -> Predictor:
    """Make the service's predictor, with a manifest of the ensemble's training rows."""
    ends = zip(training.features.min(axis=0).tolist(), training.features.max(axis=0).tolist(), strict=True)
    seen = {name: SeenFeature(*pair, median=None) for name, pair in zip(TABLE.names, ends, strict=True)}
    manifest = Manifest("held-out", seen, outcomes=None, files={}, joint=measure_joint(training))
    return Predictor(manifest, _EnsembleRuntime(ensemble), ensemble.calibration)


def _shuffle_features(
    ensemble: Ensemble, features: NDArray[np.float64], generator: np.random.Generator
) -> NDArray[np.float64]:
    """Return predictions, (features, PERMUTATIONS, n), with one feature at a time shuffled among the rows."""
    count, width = features.shape
    shuffled = np.tile(features, (width, PERMUTATIONS, 1, 1))
    for feature in range(width):
        for permutation in range(PERMUTATIONS):
            shuffled[feature, permutation, :, feature] = generator.permutation(features[:, feature])
    return ensemble.predict(shuffled.reshape(-1, width)).reshape(width, PERMUTATIONS, count)
