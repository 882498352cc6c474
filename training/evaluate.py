"""Compares the ensemble with the baselines in repeated cross-validation, and measures its intervals."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from joblib import Parallel, delayed
from numpy.typing import NDArray
from scipy import stats
from sklearn.model_selection import RepeatedKFold

from training.baselines import Regressor, SingleNetwork
from training.calibrate import COVERAGE, find_constant_margin
from training.data import Rows
from training.fit import Schedule, fit_ensembles
from training.validate import CONFIDENCE, Scores, describe_intervals, score

SPLITS, REPEATS = 5, 3
# Nothing was chosen on these folds: the network, its training and the grids of the baselines used other seeds.
SEED = 0
ENSEMBLE = "ensemble"

# Positions of the training rows and of the held-out ones.
Fold = tuple[NDArray[np.intp], NDArray[np.intp]]


@dataclass(frozen=True)
class Comparison:
    """Predictions by model, the ensemble first, one array per fold; `actual` in the same order.

    `intervals`, (n, 2) per fold, belong to the ensemble. `constant_margins`, one per fold, are half the width of
    conformal intervals of constant width.
    """

    folds: Sequence[Fold]
    actual: Sequence[NDArray[np.float64]]
    predicted: Mapping[str, Sequence[NDArray[np.float64]]]
    intervals: Sequence[NDArray[np.float64]]
    constant_margins: Sequence[float]


def draw_folds(rows: Rows) -> list[Fold]:
    """Draw the folds. Every row is held out once in each repeat."""
    return list(RepeatedKFold(n_splits=SPLITS, n_repeats=REPEATS, random_state=SEED).split(rows.features))


def compare_models(
    rows: Rows,
    folds: Sequence[Fold],
    baselines: Mapping[str, Callable[[], Regressor]],
    *,
    seed: int,
    epochs: int,
    schedule: Schedule,
    show_progress: Callable[[str, str, int], Any],
) -> Comparison:
    """Fit every model to the training rows of each fold, and predict the others.

    `show_progress` gets a title, the name of a step and their number. It returns a context manager that yields a
    function to call after each step.
    """
    with show_progress(f"Training the {ENSEMBLE}", "epoch", epochs) as report:
        trainings = [rows.take(training) for training, _ in folds]
        ensembles = fit_ensembles(trainings, seed, epochs=epochs, schedule=schedule, report_epoch=report)
    tests = [rows.take(held_out) for _, held_out in folds]
    predicted = {ENSEMBLE: [ensemble.predict(test.features) for ensemble, test in zip(ensembles, tests, strict=True)]}
    for name, build in baselines.items():
        with show_progress(f"Fitting {name}", "fold", len(folds)) as report:
            predicted[name] = _predict_folds(rows, folds, build, report)
    return Comparison(
        folds=folds,
        actual=[test.targets for test in tests],
        predicted=predicted,
        intervals=[ensemble.predict_intervals(test.features) for ensemble, test in zip(ensembles, tests, strict=True)],
        constant_margins=[
            find_constant_margin(np.abs(ensemble.out_of_fold - training.targets), COVERAGE)
            for ensemble, training in zip(ensembles, trainings, strict=True)
        ],
    )


def describe_comparison(comparison: Comparison) -> dict[str, Any]:
    """Return the figures of evaluation.json; `less_ensemble` is the difference from the ensemble, paired by fold."""
    actual = np.concatenate(comparison.actual)
    by_fold = {
        name: [score(*pair) for pair in zip(comparison.actual, predicted, strict=True)]
        for name, predicted in comparison.predicted.items()
    }
    share = float(np.mean([len(held_out) / len(training) for training, held_out in comparison.folds]))
    models: dict[str, Any] = {}
    for name, predicted in comparison.predicted.items():
        models[name] = asdict(score(actual, np.concatenate(predicted)))
        if name != ENSEMBLE:
            models[name]["less_ensemble"] = _compare_folds(by_fold[ENSEMBLE], by_fold[name], share)
    own = np.concatenate(comparison.predicted[ENSEMBLE])
    margins = np.concatenate(
        [
            np.full(len(fold), margin)
            for fold, margin in zip(comparison.actual, comparison.constant_margins, strict=True)
        ]
    )
    constant = describe_intervals(actual, own, np.column_stack([own - margins, own + margins]))
    return {
        "folds": {"splits": SPLITS, "repeats": len(comparison.folds) // SPLITS, "rows": len(actual)},
        "models": models,
        "intervals": {
            "nominal": COVERAGE,
            **describe_intervals(actual, own, np.concatenate(comparison.intervals)),
            **{f"constant_{name.removeprefix('mean_')}": figure for name, figure in constant.items()},
        },
    }


def _predict_folds(
    rows: Rows, folds: Sequence[Fold], build: Callable[[], Regressor], report: Callable[[int], None]
) -> list[NDArray[np.float64]]:
    # The network uses all cores itself, and TensorFlow does not work after a fork.
    parallel = Parallel(n_jobs=1 if build is SingleNetwork else -1, return_as="generator")
    answers = []
    for answer in parallel(delayed(_fit_and_predict)(build, rows, fold) for fold in folds):
        answers.append(answer)
        report(len(answers))
    return answers


def _fit_and_predict(build: Callable[[], Regressor], rows: Rows, fold: Fold) -> NDArray[np.float64]:
    training, held_out = rows.take(fold[0]), rows.take(fold[1])
    return build().fit(training.features, training.targets).predict(held_out.features)


def _compare_folds(own: Sequence[Scores], others: Sequence[Scores], share: float) -> dict[str, Any]:
    """Return the mean difference over folds and its confidence interval; `share` is held-out / training rows.

    Folds share training rows, so their differences are correlated. The variance is corrected as by Nadeau
    and Bengio, "Inference for the generalization error", Machine Learning 52 (2003).
    """
    differences: dict[str, Any] = {}
    for figure in ("rmse", "mae", "r2"):
        by_fold = [getattr(other, figure) - getattr(mine, figure) for mine, other in zip(own, others, strict=True)]
        error = np.std(by_fold, ddof=1) * np.sqrt(1 / len(by_fold) + share)
        reach = stats.t.ppf((1 + CONFIDENCE) / 2, len(by_fold) - 1) * error
        mean = float(np.mean(by_fold))
        differences[figure] = {"mean": mean, "lower": mean - float(reach), "upper": mean + float(reach)}
    return differences
