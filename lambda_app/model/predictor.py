"""One interface over the two runtimes: from named measurements to a prediction with its warnings."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import isfinite
from typing import Protocol

from lambda_app.errors import BundleError, PredictionError
from lambda_app.features import FEATURE_NAMES, FEATURES
from lambda_app.model.bundle import INTERVAL, Bundle, Manifest
from lambda_app.model.interval import IntervalCalibration, parse_calibration
from lambda_app.model.shapley import explain_prediction


class Runtime(Protocol):
    """Scaler and network: (n, 10) measurements in real units to (n,) progressions, and (n, folds) of each fold's.

    `training_mean`, (10,), is the mean of each measurement that the scaler subtracts.
    """

    training_mean: Sequence[float]

    def predict(self, rows: Sequence[Sequence[float]]) -> tuple[list[float], list[list[float]]]: ...


@dataclass(frozen=True)
class RangeWarning:
    """A feature outside what the model saw in training."""

    field: str
    message: str


@dataclass(frozen=True)
class Interval:
    """Holds the truth for the nominal share `coverage` of patients; the ends are in units of the prediction."""

    lower: float
    upper: float
    coverage: float


@dataclass(frozen=True)
class Prediction:
    """Disease progression one year after baseline (25 to 346 in the study), with what to be careful about."""

    value: float
    interval: Interval
    warnings: Sequence[RangeWarning]


@dataclass(frozen=True)
class Explanation:
    """A prediction, what the model answers for the mean of every measurement, and what each of the patient's adds."""

    prediction: Prediction
    base_value: float
    contributions: Mapping[str, float]


class Predictor:
    """A loaded model of one version."""

    def __init__(self, manifest: Manifest, runtime: Runtime, calibration: IntervalCalibration) -> None:
        self.manifest = manifest
        self._runtime = runtime
        self._calibration = calibration

    @property
    def version(self) -> str:
        return self.manifest.version

    def predict(self, patients: Sequence[Mapping[str, float]]) -> list[Prediction]:
        """Predict for patients in one inference; each holds all ten features by name, in the units of `features.py`."""
        values, fold_means = self._runtime.predict([_make_row(patient) for patient in patients])
        return [
            Prediction(value, self._find_interval(value, means), self._find_warnings(patient))
            for patient, value, means in zip(patients, values, fold_means, strict=True)
        ]

    def explain(self, patient: Mapping[str, float]) -> Explanation:
        """Predict for a patient, and say what each measurement added; a thousand rows in place of one."""
        [prediction] = self.predict([patient])
        base_value, contributions = explain_prediction(
            lambda rows: self._runtime.predict(rows)[0], _make_row(patient), self._runtime.training_mean
        )
        _require_finite(base_value, *contributions)
        return Explanation(prediction, base_value, dict(zip(FEATURE_NAMES, contributions, strict=True)))

    def _find_interval(self, value: float, fold_means: Sequence[float]) -> Interval:
        _require_finite(value, *fold_means)
        lower, upper = self._calibration.predict(fold_means)
        _require_finite(lower, upper)
        return Interval(lower, upper, self._calibration.coverage)

    def _find_warnings(self, features: Mapping[str, float]) -> list[RangeWarning]:
        warnings = []
        for feature in FEATURES:
            seen = self.manifest.features[feature.name]
            if not seen.minimum <= features[feature.name] <= seen.maximum:
                message = f"is outside what training saw: {seen.minimum:g} to {seen.maximum:g} ({feature.unit})"
                warnings.append(RangeWarning(feature.name, message))
        return warnings


def _make_row(patient: Mapping[str, float]) -> list[float]:
    return [patient[name] for name in FEATURE_NAMES]


def _require_finite(*numbers: float) -> None:
    if not all(map(isfinite, numbers)):
        raise PredictionError("the model answered with a value that is not a finite number")


@dataclass(frozen=True)
class LoadedModel:
    """A predictor, and the ETag of the pointer that named it."""

    predictor: Predictor
    pointer_etag: str


def load_model(bundle: Bundle, pointer_etag: str, runtime_name: str) -> LoadedModel:
    """Load a bundle with the runtime, "litert" or "tensorflow". Raises BundleError."""
    # Imported by name: TensorFlow alone takes seconds to import, and only one of the two is installed in an image.
    if runtime_name == "tensorflow":
        from lambda_app.model.tensorflow import TensorFlowRuntime as Selected  # noqa: PLC0415
    else:
        from lambda_app.model.litert import LiteRtRuntime as Selected  # type: ignore[assignment] # noqa: PLC0415
    return LoadedModel(_load_predictor(Selected, bundle), pointer_etag)


def _load_predictor(selected: type, bundle: Bundle) -> Predictor:
    try:
        predictor = Predictor(bundle.manifest, selected(bundle.files), parse_calibration(bundle.files[INTERVAL]))
        # A model that cannot answer for one patient must not take the place of one that can.
        predictor.predict([{feature.name: feature.example for feature in FEATURES}])
        return predictor
    except Exception as error:
        # Whatever the libraries raise over a file they cannot read; the digest was right, so it was published so.
        names = " and ".join(bundle.files)
        raise BundleError(f"{names} of {bundle.manifest.version} cannot be loaded: {type(error).__name__}") from error
