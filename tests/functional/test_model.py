"""The handler and its model: missing, late, damaged, replaced, in either runtime."""

import io
import json
import re
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

from lambda_app.errors import BundleError
from lambda_app.http.schemas import EXAMPLE_REQUEST
from lambda_app.model.bundle import POINTER_KEY
from lambda_app.model.predictor import Predictor
from lambda_app.model.tensorflow import LIBRARIES
from lambda_app.telemetry import LambdaHandler
from local.aws_services import REPOSITORY
from problem.table import TABLE
from tests.bundles import DECISION, Registry, copy_bundle, load_predictor
from tests.functional.helpers import Query, Wire, count_rows, get, post
from training.promotion import promote_version
from training.provide import serve_bundle
from training.registry import publish_bundle

if TYPE_CHECKING:
    from types_boto3_s3 import S3Client


def test_function_without_bundle_says_so_and_serves_once_there_is_one(
    wire: Wire, bucket: str, client: "S3Client", bundle: Path, query: Query
) -> None:
    api = wire(MODEL_BUCKET=bucket)
    before = count_rows(query)
    reason = "models/current.json cannot be read from S3: NoSuchKey"
    answer = post(api, "/predict", EXAMPLE_REQUEST)
    assert (answer["statusCode"], answer["headers"]["retry-after"]) == (503, "1")
    assert (answer["body"]["title"], answer["body"]["detail"]) == ("No model is loaded", reason)
    health = get(api, "/health")
    assert health["statusCode"] == 503
    assert health["body"]["model_loaded"] is health["body"]["scaler_loaded"] is False
    assert health["body"]["model_error"] == reason
    assert count_rows(query) == before
    serve_bundle(client, bucket, bundle, DECISION)
    time.sleep(1.1)  # the service tries again at most once a second
    assert post(api, "/predict", EXAMPLE_REQUEST)["statusCode"] == 200
    assert get(api, "/health")["statusCode"] == 200


def predict(predictor: Predictor, patients: list[dict[str, float]]) -> NDArray[np.float64]:
    return np.array([(p.value, p.interval.lower, p.interval.upper) for p in predictor.predict(patients)])


def test_both_runtimes_agree_on_every_patient_alone_and_among_others(
    client: "S3Client", environment: dict[str, str]
) -> None:
    bucket = environment["MODEL_BUCKET"]
    predictors = [load_predictor(client, bucket, name) for name in ("litert", "tensorflow")]
    patients = [dict(zip(TABLE.names, row, strict=True)) for row in load_diabetes(scaled=False).data]
    assert len(patients) == 442
    ours, theirs = (predict(predictor, patients) for predictor in predictors)
    assert np.abs(ours - theirs).max() <= 1e-3
    for predictor in predictors:
        alone = np.vstack([predict(predictor, [patient]) for patient in patients[:20]])
        assert np.abs(alone - ours[:20]).max() <= 1e-3
    assert ours.std(axis=0).min() > 20  # they do not agree on a constant
    assert ((ours[:, 1] < ours[:, 0]) & (ours[:, 0] < ours[:, 2])).all()


def test_tensorflow_runtime_serves_through_the_handler(wire: Wire) -> None:
    ours, theirs = (
        post(wire(MODEL_RUNTIME=runtime), "/predict", EXAMPLE_REQUEST)["body"] for runtime in ("litert", "tensorflow")
    )
    for name in ("prediction", "interval"):
        assert theirs[name] == pytest.approx(ours[name], abs=1e-3)
    assert theirs["model_version"] == ours["model_version"]


@pytest.mark.parametrize(
    "others", [["joblib"], ["keras"], ["scikit-learn"], ["tensorflow"], ["keras", "scikit-learn"]], ids=str
)
def test_files_of_libraries_of_other_versions_are_not_read(others: list[str], registry: Registry) -> None:
    # It would end this process.
    registry.replace_file("scaler.pkl", b"cos\n_exit\n(I3\ntR.")
    # NumPy does not count: the locks have another one for another Python.
    older = dict.fromkeys([*others, "numpy"], "1.0")
    registry.rewrite_manifest(lambda document: document["libraries"].update(older))
    faults = "; ".join(f"{name} 1.0, here it is {LIBRARIES[name]}" for name in others)
    with pytest.raises(BundleError, match=re.escape(f"was trained with {faults}: train it again with these versions")):
        load_predictor(registry.client, registry.bucket, "tensorflow")
    # LiteRT reads none of their files.
    assert registry.load().version == registry.version


def test_pickle_of_another_scikit_learn_is_refused_even_if_the_manifest_hides_it(
    registry: Registry, wire: Wire, capfd: pytest.CaptureFixture[str]
) -> None:
    pickled = io.BytesIO()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("sklearn.base.__version__", "1.5.0")
        joblib.dump(StandardScaler().fit(load_diabetes(scaled=False).data), pickled)
    registry.replace_file("scaler.pkl", pickled.getvalue())
    error = get(wire(MODEL_BUCKET=registry.bucket, MODEL_RUNTIME="tensorflow"), "/health")["body"]["model_error"]
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
predictor = load_model(Bundle(manifest, files), runtime)
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


def test_patient_without_a_finite_prediction_gets_an_error_and_no_row(
    wire: Wire, registry: Registry, query: Query
) -> None:
    def overflow_but_at_age_59(scaler: dict[str, Any]) -> None:
        scaler["mean"][0], scaler["scale"][0] = 59, 1e-37

    registry.rewrite_file("scaler.json", overflow_but_at_age_59)
    api = wire(MODEL_BUCKET=registry.bucket)
    before = count_rows(query)
    answer = post(api, "/predict", {**EXAMPLE_REQUEST, "age": 90})
    assert (answer["statusCode"], answer["body"]["type"]) == (500, "urn:diabetes-ml:problem:internal-error")
    assert answer["body"]["detail"] == "the model answered with a value that is not a finite number"
    assert count_rows(query) == before
    assert post(api, "/predict", EXAMPLE_REQUEST)["statusCode"] == 200


REFRESH_SECONDS = 1


@pytest.fixture
def following(wire: Wire, registry: Registry) -> LambdaHandler:
    return wire(MODEL_BUCKET=registry.bucket, MODEL_REFRESH_SECONDS=str(REFRESH_SECONDS))


def ask(api: LambdaHandler) -> dict[str, Any]:
    answer = post(api, "/predict", EXAMPLE_REQUEST)
    assert answer["statusCode"] == 200
    return dict(answer["body"])


def count_failures(api: LambdaHandler) -> float:
    """The failed model loads in /metrics."""
    lines = get(api, "/metrics")["body"].splitlines()
    [line] = [line for line in lines if line.startswith("diabetes_model_load_failures_total")]
    return float(line.rpartition(" ")[2])


def test_promotion_and_rollback_reach_a_function_that_answers_all_the_while(
    following: LambdaHandler, registry: Registry, bundle: Path, tmp_path: Path
) -> None:
    first = registry.version
    second, _ = publish_bundle(
        registry.client, registry.bucket, copy_bundle(bundle, tmp_path, "20990101T000000Z-00000002")
    )
    for wanted in (second, first):
        promote_version(registry.client, registry.bucket, wanted, DECISION)
        promoted_at = time.monotonic()
        versions: list[str] = []
        while not versions or versions[-1] != wanted:
            versions.append(ask(following)["model_version"])
            assert time.monotonic() < promoted_at + 30 * REFRESH_SECONDS
        # It changed once and never back.
        assert versions == sorted(versions, key=lambda version: version == wanted)
    assert count_failures(following) == 0


def change_a_byte(registry: Registry) -> None:
    registry.rewrite_manifest(lambda document: document.update(seed=2))
    registry.write(registry.key("scaler.json"), registry.read(registry.key("scaler.json")) + b" ")


DAMAGES: dict[str, Callable[[Registry], object]] = {
    "pointer removed": lambda registry: registry.client.delete_object(Bucket=registry.bucket, Key=POINTER_KEY),
    "pointer not JSON": lambda registry: registry.write(POINTER_KEY, b"{"),
    "pointer to nothing": lambda registry: registry.write(
        POINTER_KEY, json.dumps({"version": "gone", "manifest_sha256": "00"}).encode()
    ),
    "model not a model": lambda registry: registry.replace_file("model.tflite", b"not a model"),
    "answers not numbers": lambda registry: registry.rewrite_file(
        "scaler.json", lambda scaler: scaler.update(mean=[float("nan")] * 10)
    ),
    "a byte changed": change_a_byte,
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_bad_successor_is_refused_and_the_working_model_stays(
    damage: str, following: LambdaHandler, registry: Registry
) -> None:
    before = ask(following)
    DAMAGES[damage](registry)
    time.sleep(REFRESH_SECONDS)
    answer = ask(following)
    for name in ("model_version", "prediction", "interval"):
        assert answer[name] == before[name]
    assert count_failures(following) >= 1
    assert get(following, "/health")["statusCode"] == 200
