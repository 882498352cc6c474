"""One interface for both runtimes: from named features to a prediction with interval and warnings."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import isfinite
from typing import Protocol

from lambda_app.errors import BundleError, PredictionError
from lambda_app.model.bundle import INTERVAL, Bundle, Manifest
from lambda_app.model.interval import IntervalCalibration, parse_calibration
from lambda_app.model.native_log import silence_native_log
from lambda_app.model.shapley import explain_prediction
from problem.table import TABLE


class Runtime(Protocol):
    """Scaler and network: features in real units, (n, features), to predictions, (n,) and per fold (n, folds).

    `training_mean`, (features,), is the mean of each feature that the scaler subtracts.
    """

    training_mean: Sequence[float]

    def predict(self, rows: Sequence[Sequence[float]]) -> tuple[list[float], list[list[float]]]: ...


MAX_REASON_LENGTH = 300

# The field of a warning about all features together.
ALL_FEATURES = "features"


@dataclass(frozen=True)
class CaseWarning:
    """A way in which a case is unlike the training rows."""

    field: str
    message: str


@dataclass(frozen=True)
class Interval:
    """A prediction interval with its nominal coverage; the ends are in units of the prediction.

    For a case unlike those of the training, the error is unknown, so `coverage` is None.
    """

    lower: float
    upper: float
    coverage: float | None


@dataclass(frozen=True)
class Prediction:
    """A value of the target, with its interval and warnings."""

    value: float
    interval: Interval
    warnings: Sequence[CaseWarning]


@dataclass(frozen=True)
class Explanation:
    """A prediction, the prediction for the mean of every feature, and the contribution of each feature.

    `standard_errors` belong to estimated contributions; None if they are exact.
    """

    prediction: Prediction
    base_value: float
    contributions: Mapping[str, float]
    standard_errors: Mapping[str, float] | None


class Predictor:
    """A loaded model of one version."""

    def __init__(self, manifest: Manifest, runtime: Runtime, calibration: IntervalCalibration) -> None:
        self.manifest = manifest
        self._runtime = runtime
        self._calibration = calibration

    @property
    def version(self) -> str:
        return self.manifest.version

    def predict(self, cases: Sequence[Mapping[str, float]]) -> list[Prediction]:
        """Predict for cases in one inference; each case has all features by name, in the units of the table."""
        rows = [_make_row(case) for case in cases]
        values, fold_means = self._runtime.predict(rows)
        return [self._answer(*asked) for asked in zip(cases, rows, values, fold_means, strict=True)]

    def explain(self, case: Mapping[str, float]) -> Explanation:
        """Predict for a case and compute the contributions, with thousands of rows instead of one."""
        [prediction] = self.predict([case])
        found = explain_prediction(self._predict_possible, _make_row(case), self._runtime.training_mean)
        contributions = dict(zip(TABLE.names, found.contributions, strict=True))
        errors = found.standard_errors and dict(zip(TABLE.names, found.standard_errors, strict=True))
        return Explanation(prediction, found.base_value, contributions, errors or None)

    def _predict_possible(self, rows: Sequence[Sequence[float]]) -> list[float]:
        values, _ = self._runtime.predict(rows)
        _require_finite(*values)
        return [TABLE.target.cut(value) for value in values]

    def _answer(
        self, case: Mapping[str, float], row: Sequence[float], value: float, fold_means: Sequence[float]
    ) -> Prediction:
        _require_finite(value, *fold_means)
        distance = self.manifest.joint.measure_distance(row) if self.manifest.joint else 0.0
        warnings = self._find_warnings(case, distance)
        if warnings:
            lower, upper = self._calibration.predict_outside(fold_means, max(1.0, distance))
            coverage = None
        else:
            lower, upper = self._calibration.predict(fold_means)
            coverage = self._calibration.coverage
        _require_finite(lower, upper)
        return Prediction(
            TABLE.target.cut(value), Interval(TABLE.target.cut(lower), TABLE.target.cut(upper), coverage), warnings
        )

    def _find_warnings(self, case: Mapping[str, float], distance: float) -> list[CaseWarning]:
        warnings = []
        for feature in TABLE.features:
            seen = self.manifest.features[feature.name]
            if not seen.minimum <= case[feature.name] <= seen.maximum:
                message = f"is outside what training saw: {feature.describe_range(seen.minimum, seen.maximum)}"
                warnings.append(CaseWarning(feature.name, message))
        warnings += [
            CaseWarning(relation.field, relation.message) for relation in TABLE.relations if not relation.holds(case)
        ]
        if self.manifest.joint and distance > 1:
            share = 100 * self.manifest.joint.quantile
            message = f"are together unlike what training saw: {share:g} % of its {TABLE.cases} are nearer to its mean"
            warnings.append(CaseWarning(ALL_FEATURES, message))
        return warnings


def _make_row(case: Mapping[str, float]) -> list[float]:
    return [case[name] for name in TABLE.names]


def _require_finite(*numbers: float) -> None:
    if not all(map(isfinite, numbers)):
        raise PredictionError("the model answered with a value that is not a finite number")


def load_model(bundle: Bundle, runtime_name: str) -> Predictor:
    """Load a bundle with the runtime, "litert" or "tensorflow". Raises BundleError."""
    with silence_native_log():
        # Imported here: importing TensorFlow takes seconds, and an image has only one of the two.
        if runtime_name == "tensorflow":
            from lambda_app.model.tensorflow import TensorFlowRuntime as Selected  # noqa: PLC0415
            from lambda_app.model.tensorflow import require_libraries  # noqa: PLC0415

            require_libraries(bundle.manifest.libraries)
        else:
            from lambda_app.model.litert import LiteRtRuntime as Selected  # type: ignore[assignment] # noqa: PLC0415
        return _load_predictor(Selected, bundle)


def _load_predictor(selected: type, bundle: Bundle) -> Predictor:
    try:
        runtime, calibration = selected(bundle.files), parse_calibration(bundle.files[INTERVAL])
        _, [fold_means] = runtime.predict([_make_row(TABLE.example)])
        if len(fold_means) != len(calibration.folds):
            raise ValueError(f"the network has {len(fold_means)} folds, {INTERVAL} has {len(calibration.folds)}")
        predictor = Predictor(bundle.manifest, runtime, calibration)
        # A model that cannot predict must not replace one that can.
        predictor.predict([TABLE.example])
        return predictor
    except Exception as error:
        # The libraries raise many types for an unreadable file. Its digest was right, so it was published like this.
        names = " and ".join(bundle.files)
        # Keras puts all that it has read into the text.
        reason = " ".join(f"{type(error).__name__}: {error}".split())[:MAX_REASON_LENGTH]
        raise BundleError(f"{names} of {bundle.manifest.version} cannot be loaded: {reason}") from error
