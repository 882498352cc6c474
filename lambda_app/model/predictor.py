"""One interface over the two runtimes: from named measurements to a prediction with its warnings."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import NDArray

from lambda_app.errors import BundleError, PredictionError
from lambda_app.features import FEATURES
from lambda_app.model.bundle import Bundle, Manifest, fetch_bundle, fetch_pointer

if TYPE_CHECKING:
    from types_boto3_s3 import S3Client


class Runtime(Protocol):
    """Scaler and network together; `predict` maps (n, 10) measurements in real units to (n,) progressions."""

    def predict(self, rows: NDArray[np.float64]) -> NDArray[np.float64]: ...


@dataclass(frozen=True)
class RangeWarning:
    """A feature outside what the model saw in training."""

    field: str
    message: str


@dataclass(frozen=True)
class Prediction:
    """Disease progression one year after baseline (25 to 346 in the study), with what to be careful about."""

    value: float
    warnings: Sequence[RangeWarning]


class Predictor:
    """A loaded model of one version."""

    def __init__(self, manifest: Manifest, runtime: Runtime) -> None:
        self.version = manifest.version
        self._ranges = manifest.ranges
        self._runtime = runtime

    def predict(self, features: Mapping[str, float]) -> Prediction:
        """Predict for one patient; `features` holds all ten by name, in the units of `features.py`."""
        row = np.array([[features[feature.name] for feature in FEATURES]], dtype=np.float64)
        value = float(self._runtime.predict(row)[0])
        if not np.isfinite(value):
            raise PredictionError("the model answered with a value that is not a finite number")
        return Prediction(value, self._find_warnings(features))

    def _find_warnings(self, features: Mapping[str, float]) -> list[RangeWarning]:
        warnings = []
        for feature in FEATURES:
            minimum, maximum = self._ranges[feature.name]
            if not minimum <= features[feature.name] <= maximum:
                message = f"is outside what training saw: {minimum:g} to {maximum:g} ({feature.unit})"
                warnings.append(RangeWarning(feature.name, message))
        return warnings


@dataclass(frozen=True)
class LoadedModel:
    """A predictor, and the ETag of the pointer that named it."""

    predictor: Predictor
    pointer_etag: str


def load_model(client: "S3Client", bucket: str, runtime_name: str, known_etag: str | None = None) -> LoadedModel | None:
    """Fetch the current bundle and load it with the runtime, "litert" or "tensorflow". Raises BundleError.

    None when the pointer still has the known ETag.
    """
    # Imported by name: TensorFlow alone takes seconds to import, and only one of the two is installed in an image.
    if runtime_name == "tensorflow":
        from lambda_app.model.tensorflow import TensorFlowRuntime as Selected  # noqa: PLC0415
    else:
        from lambda_app.model.litert import LiteRtRuntime as Selected  # type: ignore[assignment] # noqa: PLC0415
    found = fetch_pointer(client, bucket, known_etag)
    if found is None:
        return None
    pointer, etag = found
    bundle = fetch_bundle(client, bucket, pointer, Selected.FILES)
    return LoadedModel(Predictor(bundle.manifest, _load_runtime(Selected, bundle)), etag)


def _load_runtime(selected: type, bundle: Bundle) -> Runtime:
    try:
        runtime: Runtime = selected(bundle.files)
    except Exception as error:
        # Whatever the libraries raise over a file they cannot read; the digest was right, so it was published so.
        names = " and ".join(bundle.files)
        raise BundleError(f"{names} of {bundle.manifest.version} cannot be loaded: {type(error).__name__}") from error
    return runtime
