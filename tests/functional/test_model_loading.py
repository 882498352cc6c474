"""The handler and its model: kept warm, missing, late, damaged, in either runtime."""

import io
import json
import subprocess
import sys
import time
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import joblib
import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.datasets import load_diabetes
from sklearn.preprocessing import StandardScaler

import lambda_app.handler
from lambda_app.errors import BundleError, SettingsError
from lambda_app.http.schemas import EXAMPLE_REQUEST
from lambda_app.model.bundle import Bundle
from lambda_app.model.predictor import LoadedModel, Predictor, load_model
from lambda_app.model.tensorflow import LIBRARIES
from lambda_app.telemetry import LambdaHandler
from local.aws_services import REPOSITORY
from problem.table import TABLE
from tests.bundles import Registry, load_predictor
from tests.events import Context, invoke, load_event, make_event
from training.provide import serve_bundle

if TYPE_CHECKING:
    from types_boto3_s3 import S3Client


def test_model_is_loaded_once(wire: Callable[..., LambdaHandler], monkeypatch: pytest.MonkeyPatch) -> None:
    loads = []

    def load_and_count(bundle: Bundle, pointer_etag: str, runtime_name: str) -> LoadedModel:
        loads.append(bundle)
        return load_model(bundle, pointer_etag, runtime_name)

    monkeypatch.setattr("lambda_app.model.predictor.load_model", load_and_count)
    api = wire()
    for _ in range(3):
        assert invoke(api, load_event("predict"))["statusCode"] == 200
    assert len(loads) == 1
    assert lambda_app.handler.api is api


def test_function_without_bundle_says_so_and_serves_once_there_is_one(
    wire: Callable[..., LambdaHandler], bucket: str, client: "S3Client", bundle: Path, query: Callable[..., list[Any]]
) -> None:
    api = wire(MODEL_BUCKET=bucket)
    before = query("SELECT count(*) FROM predictions")
    answer = invoke(api, load_event("predict"))
    assert answer["statusCode"] == 503
    assert answer["headers"]["retry-after"] == "1"
    assert answer["body"]["title"] == "No model is loaded"
    assert answer["body"]["detail"] == "models/current.json cannot be read from S3: NoSuchKey"
    health = invoke(api, make_event("GET", "/health"))
    assert health["statusCode"] == 503
    assert health["body"]["model_loaded"] is health["body"]["scaler_loaded"] is False
    assert health["body"]["model_error"] == "models/current.json cannot be read from S3: NoSuchKey"
    assert query("SELECT count(*) FROM predictions") == before
    serve_bundle(client, bucket, bundle)
    time.sleep(1.1)  # the service tries again at most once a second
    assert invoke(api, load_event("predict"))["statusCode"] == 200
    assert invoke(api, make_event("GET", "/health"))["statusCode"] == 200


def test_both_runtimes_agree_on_every_patient(client: "S3Client", environment: dict[str, str]) -> None:
    bucket = environment["MODEL_BUCKET"]
    litert, tensorflow = (load_predictor(client, bucket, name) for name in ("litert", "tensorflow"))
    patients = [dict(zip(TABLE.names, row, strict=True)) for row in load_diabetes(scaled=False).data]
    assert len(patients) == 442

    def predict(predictor: Predictor) -> NDArray[np.float64]:
        return np.array([(p.value, p.interval.lower, p.interval.upper) for p in predictor.predict(patients)])

    ours, theirs = predict(litert), predict(tensorflow)
    assert np.abs(ours - theirs).max() <= 1e-3
    assert ours.std(axis=0).min() > 20  # they do not agree on a constant
    assert ((ours[:, 1] < ours[:, 0]) & (ours[:, 0] < ours[:, 2])).all()


@pytest.mark.parametrize("runtime", ["litert", "tensorflow"])
def test_patient_gets_the_same_alone_as_among_others(
    runtime: str, client: "S3Client", environment: dict[str, str]
) -> None:
    predictor = load_predictor(client, environment["MODEL_BUCKET"], runtime)
    patients = [dict(zip(TABLE.names, row, strict=True)) for row in load_diabetes(scaled=False).data[:20]]
    for patient, among in zip(patients, predictor.predict(patients), strict=True):
        [alone] = predictor.predict([patient])
        assert alone.value == pytest.approx(among.value, abs=1e-3)
        assert alone.interval.lower == pytest.approx(among.interval.lower, abs=1e-3)
        assert alone.interval.upper == pytest.approx(among.interval.upper, abs=1e-3)


def test_tensorflow_runtime_serves_through_the_handler(wire: Callable[..., LambdaHandler]) -> None:
    ours, theirs = (
        invoke(wire(MODEL_RUNTIME=runtime), load_event("predict"))["body"] for runtime in ("litert", "tensorflow")
    )
    assert theirs["prediction"] == pytest.approx(ours["prediction"], abs=1e-3)
    assert theirs["interval"] == pytest.approx(ours["interval"], abs=1e-3)
    assert theirs["model_version"] == ours["model_version"]


def pickle_scaler(rows: Any, sklearn_version: str) -> bytes:
    """A scaler as another version of scikit-learn would have pickled it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("sklearn.base.__version__", sklearn_version)
        file = io.BytesIO()
        joblib.dump(StandardScaler().fit(rows), file)
    return file.getvalue()


@pytest.mark.parametrize("library", ["scikit-learn", "joblib", "keras", "tensorflow"])
def test_files_of_another_library_are_not_read(library: str, registry: Registry) -> None:
    # It would end this process.
    registry.replace_file("scaler.pkl", b"cos\n_exit\n(I3\ntR.")
    registry.rewrite_manifest(lambda document: document["libraries"].update({library: "1.0"}))
    reason = f"was trained with {library} 1.0, here it is {LIBRARIES[library]}: train it again with these versions"
    with pytest.raises(BundleError, match=reason):
        load_predictor(registry.client, registry.bucket, "tensorflow")


def test_every_library_of_another_version_is_named(registry: Registry) -> None:
    # NumPy is none of them: the locks have another one for another Python.
    others = {"keras": "2.0", "numpy": "1.0", "scikit-learn": "1.0"}
    registry.rewrite_manifest(lambda document: document["libraries"].update(others))
    pattern = r"trained with keras 2\.0, here it is [^;]+; scikit-learn 1\.0, here it is [^;]+: train"
    with pytest.raises(BundleError, match=pattern):
        load_predictor(registry.client, registry.bucket, "tensorflow")
    # LiteRT reads none of their files.
    assert registry.load().version == registry.version


def test_pickle_of_another_scikit_learn_is_refused_whatever_the_manifest_says(
    registry: Registry, wire: Callable[..., LambdaHandler], capfd: pytest.CaptureFixture[str]
) -> None:
    registry.replace_file("scaler.pkl", pickle_scaler(load_diabetes(scaled=False).data, "1.5.0"))
    api = wire(MODEL_BUCKET=registry.bucket, MODEL_RUNTIME="tensorflow")
    error = invoke(api, make_event("GET", "/health"))["body"]["model_error"]
    assert "InconsistentVersionWarning" in error
    assert f"from version 1.5.0 when using version {version('scikit-learn')}" in error
    written = capfd.readouterr()
    assert written.err == ""
    assert error in [json.loads(line).get("reason") for line in written.out.splitlines()]


LOAD = """
import sys
from pathlib import Path
from problem.table import TABLE
from lambda_app.model.bundle import INTERVAL, RUNTIME_FILES, Bundle, parse_manifest
from lambda_app.model.predictor import load_model
directory, runtime = Path(sys.argv[1]), sys.argv[2]
files = {name: (directory / name).read_bytes() for name in (*RUNTIME_FILES[runtime], INTERVAL)}
manifest = parse_manifest((directory / "manifest.json").read_bytes())
predictor = load_model(Bundle(manifest, files), "etag", runtime).predictor
[prediction] = predictor.predict([{feature.name: feature.example for feature in TABLE.features}])
print(prediction.value)
"""


@pytest.mark.parametrize("runtime", ["litert", "tensorflow"])
def test_a_runtime_writes_nothing_to_stderr(runtime: str, bundle: Path) -> None:
    # In a process of its own: the libraries write when they are first loaded.
    done = subprocess.run(
        [sys.executable, "-c", LOAD, str(bundle), runtime], cwd=REPOSITORY, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert 100 < float(done.stdout) < 300


def test_patient_whom_the_model_cannot_answer_gets_an_error_and_no_row(
    wire: Callable[..., LambdaHandler], registry: Registry, query: Callable[..., list[Any]]
) -> None:
    def overflow_but_at_age_59(scaler: dict[str, Any]) -> None:
        scaler["mean"][0], scaler["scale"][0] = 59, 1e-37

    registry.rewrite_file("scaler.json", overflow_but_at_age_59)
    api = wire(MODEL_BUCKET=registry.bucket)
    assert invoke(api, load_event("predict"))["statusCode"] == 200
    before = query("SELECT count(*) FROM predictions")
    answer = invoke(api, make_event("POST", "/predict", json.dumps({**EXAMPLE_REQUEST, "age": 90})))
    assert answer["statusCode"] == 500
    assert answer["body"]["type"] == "urn:diabetes-ml:problem:internal-error"
    assert answer["body"]["detail"] == "the model answered with a value that is not a finite number"
    assert query("SELECT count(*) FROM predictions") == before
    assert invoke(api, load_event("predict"))["statusCode"] == 200


def test_wrong_settings_stop_the_function_with_every_fault(wire: Callable[..., LambdaHandler]) -> None:
    with pytest.raises(SettingsError, match=r"MODEL_RUNTIME must be.*; DATABASE_TLS must be"):
        wire(MODEL_RUNTIME="onnx", DATABASE_TLS="none")


def test_only_the_functions_are_attributes_of_the_handler() -> None:
    with pytest.raises(AttributeError, match="nonsense"):
        _ = lambda_app.handler.nonsense


def test_migrate_through_the_handler_changes_nothing_the_second_time(wire: Callable[..., LambdaHandler]) -> None:
    assert wire("migrate")({}, Context()) == {"applied": []}
