"""The bundle on disk: whole, true to the training, and refused when its two forms differ."""

import io
import json
import re
import shutil
import subprocess
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from importlib.metadata import version as distribution_version
from pathlib import Path

import h5py
import joblib
import numpy as np
import pytest

from lambda_app.features import FEATURES
from lambda_app.model.bundle import parse_manifest, sha256_hex
from lambda_app.model.litert import LiteRtRuntime
from lambda_app.model.tensorflow import TensorFlowRuntime
from training.data import Rows, Split, digest_rows
from training.errors import ParityError
from training.evaluate import evaluate_model
from training.export import export_bundle
from training.fit import Model
from training.manifest import read_commit
from training.parity import TOLERANCE, check_parity

FILES = {
    "feature_importance.png",
    "learning_curves.png",
    "model.tflite",
    "predicted_vs_actual.png",
    "scaler.json",
    "scaler.pkl",
    "tf_model.h5",
}


def load_litert(directory: Path) -> LiteRtRuntime:
    return LiteRtRuntime({name: (directory / name).read_bytes() for name in LiteRtRuntime.FILES})


def test_bundle_holds_every_file_and_nothing_else(bundle: Path) -> None:
    assert {path.name for path in bundle.iterdir()} == {*FILES, "manifest.json"}
    assert list(bundle.parent.iterdir()) == [bundle]
    for name in FILES:
        if name.endswith(".png"):
            assert (bundle / name).read_bytes().startswith(b"\x89PNG\r\n\x1a\n")
    with h5py.File(bundle / "tf_model.h5") as file:
        assert "model_weights" in file


def test_manifest_tells_the_whole_story(bundle: Path, rows: Rows, split: Split) -> None:
    content = (bundle / "manifest.json").read_bytes()
    manifest = json.loads(content)
    assert parse_manifest(content).version == bundle.name
    assert list(manifest) == [
        *("version", "created_at", "commit", "seed", "data_sha256", "features", "metrics", "libraries", "files"),
    ]
    served = (bundle / "model.tflite").read_bytes() + (bundle / "scaler.json").read_bytes()
    created_at = datetime.fromisoformat(manifest["created_at"])
    assert created_at.utcoffset() == timedelta(0)
    assert timedelta(0) <= datetime.now(UTC) - created_at < timedelta(minutes=10)
    assert manifest["version"] == f"{created_at:%Y%m%dT%H%M%SZ}-{sha256_hex(served)[:8]}"
    assert manifest["commit"] is None or re.fullmatch(r"[0-9a-f]{40}(-dirty)?", manifest["commit"])
    assert manifest["seed"] == 1
    assert manifest["data_sha256"] == digest_rows(rows)
    assert manifest["features"] == [
        {"name": feature.name, "unit": feature.unit, "minimum": column.min(), "maximum": column.max()}
        for feature, column in zip(FEATURES, split.training.features.T, strict=True)
    ]
    assert manifest["libraries"]["keras"] == distribution_version("keras")
    assert set(manifest["libraries"]) == {*("tensorflow", "keras", "scikit-learn", "numpy"), "ai-edge-litert", "python"}
    assert manifest["files"] == {
        name: {"size": (bundle / name).stat().st_size, "sha256": sha256_hex((bundle / name).read_bytes())}
        for name in FILES
    }


def test_metrics_are_those_of_the_served_model_on_the_held_out_patients(bundle: Path, split: Split) -> None:
    metrics = json.loads((bundle / "manifest.json").read_bytes())["metrics"]["held_out"]
    actual = split.held_out.targets
    errors = load_litert(bundle).predict(split.held_out.features) - actual
    assert metrics["rows"] == 89
    assert metrics["rmse"] == pytest.approx(np.sqrt((errors**2).mean()), abs=1e-3)
    assert metrics["mae"] == pytest.approx(np.abs(errors).mean(), abs=1e-3)
    assert metrics["r2"] == pytest.approx(1 - (errors**2).mean() / actual.var(), abs=1e-4)
    # A linear model reaches 0.41 on these patients; the mean of the training rows 0.
    assert metrics["r2"] > 0.3


def test_scaler_json_is_the_pickled_scaler_to_the_last_bit(bundle: Path) -> None:
    scaler = joblib.load(bundle / "scaler.pkl")
    assert json.loads((bundle / "scaler.json").read_bytes()) == {
        "mean": scaler.mean_.tolist(),
        "scale": scaler.scale_.tolist(),
    }


def test_both_runtimes_answer_alike_for_any_number_of_rows(bundle: Path, rows: Rows) -> None:
    served = load_litert(bundle)
    trained = TensorFlowRuntime({name: (bundle / name).read_bytes() for name in TensorFlowRuntime.FILES})
    for count in (1, 7, 442):
        some = rows.features[:count]
        np.testing.assert_allclose(served.predict(some), trained.predict(some), rtol=0, atol=TOLERANCE)
    assert check_parity(bundle, rows.features) <= TOLERANCE


def test_parity_refuses_a_scaler_that_is_off_by_a_thousandth(bundle: Path, rows: Rows, tmp_path: Path) -> None:
    damaged = tmp_path / "damaged"
    shutil.copytree(bundle, damaged)
    scaler = json.loads((damaged / "scaler.json").read_bytes())
    scaler["mean"][2] *= 1.001
    (damaged / "scaler.json").write_text(json.dumps(scaler))
    with pytest.raises(ParityError, match=r"of 442 predictions .* differ .* by more than 0\.001"):
        check_parity(damaged, rows.features)


def export(output: Path, model: Model, rows: Rows, split: Split) -> Path:
    output.mkdir()
    evaluation = evaluate_model(model, split.held_out)
    return export_bundle(output, model=model, evaluation=evaluation, rows=rows, split=split, seed=1)


def test_export_leaves_nothing_when_the_two_forms_differ(
    quick_fit: Callable[[int], Model], rows: Rows, split: Split, tmp_path: Path
) -> None:
    model = quick_fit(1)
    # The pickled scaler then no longer takes away the mean that scaler.json still has.
    model.scaler.with_mean = False
    with pytest.raises(ParityError, match="442 of 442"):
        export(tmp_path / "models", model, rows, split)
    assert list((tmp_path / "models").iterdir()) == []


def test_parity_refuses_a_model_that_answers_nan(
    quick_fit: Callable[[int], Model], bundle: Path, rows: Rows, tmp_path: Path
) -> None:
    # NaN in both forms: their difference is no number either.
    model = quick_fit(1)
    model.network.set_weights([np.full_like(weights, np.nan) for weights in model.network.get_weights()])
    model.network.save(tmp_path / "tf_model.h5")
    shutil.copy(bundle / "scaler.pkl", tmp_path)
    shutil.copy(bundle / "scaler.json", tmp_path)
    shutil.copy(bundle / "model.tflite", tmp_path)
    with pytest.raises(ParityError, match="442 of 442"):
        check_parity(tmp_path, rows.features)


def test_progress_off_a_terminal_is_plain_lines(bundle: Path, training_output: io.StringIO) -> None:
    lines = training_output.getvalue().splitlines()
    assert len(lines) >= 2
    for line in lines:
        assert re.fullmatch(r"epoch \d+ of at most 500, validation MAE \d+\.\d\d", line)


def test_commit_is_marked_when_files_differ_from_it(tmp_path: Path) -> None:
    assert read_commit(tmp_path) is None
    git = ("git", "-C", str(tmp_path), "-c", "user.name=test", "-c", "user.email=test@example.com")
    subprocess.run([*git, "init", "--quiet"], check=True)
    assert read_commit(tmp_path) is None
    subprocess.run([*git, "commit", "--quiet", "--allow-empty", "--message", "first"], check=True)
    commit = read_commit(tmp_path)
    assert commit is not None
    assert re.fullmatch(r"[0-9a-f]{40}", commit)
    (tmp_path / "new").touch()
    assert read_commit(tmp_path) == f"{commit}-dirty"
