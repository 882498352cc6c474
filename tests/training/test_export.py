"""The bundle on disk: its files, its manifest, and the parity check of its two forms."""

import copy
import dataclasses
import json
import re
import shutil
import subprocess
from datetime import datetime, timedelta
from importlib.metadata import version as distribution_version
from pathlib import Path

import h5py
import joblib
import keras
import numpy as np
import pytest

from lambda_app.model.bundle import parse_manifest, sha256_hex
from lambda_app.model.interval import parse_calibration
from lambda_app.model.litert import LiteRtRuntime
from lambda_app.model.tensorflow import LIBRARIES
from problem.table import TABLE
from tests.trained import find_or_train
from training.data import Rows, digest_rows
from training.errors import ParityError
from training.export import export_bundle
from training.gates import find_failures, find_parity_tolerance
from training.joint import measure_joint
from training.manifest import read_commit
from training.parity import check_parity
from training.run import TrainingRun

PLOTS = {
    "feature_importance.png",
    "interval_coverage.png",
    "learning_curves.png",
    "predicted_vs_actual.png",
    "residuals.png",
}
FILES = {"interval.json", "model.tflite", "model_card.md", "scaler.json", "scaler.pkl", "tf_model.h5", *PLOTS}

# In points of the score, which runs from 25 to 346.
TOLERANCE = find_parity_tolerance(25, 346)


def load_litert(directory: Path) -> LiteRtRuntime:
    return LiteRtRuntime({name: (directory / name).read_bytes() for name in LiteRtRuntime.FILES})


def test_bundle_holds_every_file_and_nothing_else(bundle: Path) -> None:
    assert {path.name for path in bundle.iterdir()} == {*FILES, "manifest.json"}
    assert list(bundle.parent.iterdir()) == [bundle]
    for name in PLOTS:
        assert (bundle / name).read_bytes().startswith(b"\x89PNG\r\n\x1a\n")
    with h5py.File(bundle / "tf_model.h5") as file:
        assert "model_weights" in file


def test_manifest_is_complete(bundle: Path, rows: Rows) -> None:
    content = (bundle / "manifest.json").read_bytes()
    manifest = json.loads(content)
    assert parse_manifest(content).version == bundle.name
    assert list(manifest) == [
        *("version", "created_at", "commit", "data_sha256", "training", "features", "joint", "outcomes"),
        *("reference", "metrics", "interval", "parity", "libraries", "files"),
    ]
    served = b"".join((bundle / name).read_bytes() for name in ("model.tflite", "scaler.json", "interval.json"))
    created_at = datetime.fromisoformat(manifest["created_at"])
    assert created_at.utcoffset() == timedelta(0)
    assert manifest["version"] == f"{created_at:%Y%m%dT%H%M%SZ}-{sha256_hex(served)[:8]}"
    assert manifest["commit"] is None or re.fullmatch(r"[0-9a-f]{40}(-dirty)?", manifest["commit"])
    assert manifest["data_sha256"] == digest_rows(rows)
    seconds = manifest["training"].pop("seconds")
    assert seconds > 0
    assert manifest["training"] == {"rows": 442, "seed": 1, "epochs": 40, "schedule": "cosine", "members": 40}
    assert manifest["features"] == [
        {
            **{"name": feature.name, "unit": feature.unit, "minimum": column.min(), "maximum": column.max()},
            "median": sorted(column)[220] / 2 + sorted(column)[221] / 2,
        }
        for feature, column in zip(TABLE.features, rows.features.T, strict=True)
    ]
    assert manifest["joint"] == dataclasses.asdict(measure_joint(rows))
    outcomes = manifest["outcomes"]
    assert (outcomes["minimum"], outcomes["maximum"]) == (25, 346)
    assert outcomes["mean"] == pytest.approx(152.13, abs=0.01)
    assert outcomes["bin_edges"] == list(range(20, 361, 20))
    assert sum(outcomes["counts"]) == 442
    assert outcomes["counts"][0] == (rows.targets < 40).sum()
    assert outcomes["counts"][-1] == (rows.targets >= 340).sum()
    assert manifest["interval"] == {"method": "CV+", "coverage": 0.9}
    assert manifest["parity"]["largest_difference"] <= manifest["parity"]["tolerance"] == TOLERANCE
    assert manifest["libraries"]["keras"] == distribution_version("keras")
    assert set(manifest["libraries"]) == {*LIBRARIES, "ai-edge-litert", "python"}
    assert manifest["files"] == {
        name: {"size": (bundle / name).stat().st_size, "sha256": sha256_hex((bundle / name).read_bytes())}
        for name in FILES
    }


def test_trained_model_passes_its_gates(bundle: Path) -> None:
    manifest = json.loads((bundle / "manifest.json").read_bytes())
    assert find_failures(manifest) == []
    held_out = manifest["metrics"]["held_out"]
    assert held_out["rows"] == 442
    assert 0.48 < held_out["r2"] < 0.53
    assert 150 < held_out["mean_width"] < 180
    # Nineteen of the patients are unlike those of the training without them.
    assert 10 < held_out["outside"]["rows"] < 30
    assert held_out["outside"]["coverage"] > 0.9
    assert held_out["outside"]["mean_width"] > 200


def test_interval_json_is_the_calibration_of_the_members(bundle: Path, rows: Rows) -> None:
    calibration = parse_calibration((bundle / "interval.json").read_bytes())
    assert sum(len(fold.scores) for fold in calibration.folds) == len(rows)
    _, fold_means = load_litert(bundle).predict(rows.features.tolist())
    lower, upper = np.transpose([calibration.predict(means) for means in fold_means])
    covered = (lower <= rows.targets) & (rows.targets <= upper)
    # More than nine in ten, as these are the patients that the members learned from.
    assert 0.9 < covered.mean() < 0.97


def test_scaler_json_is_the_pickled_scaler_to_the_last_bit(bundle: Path) -> None:
    scaler = joblib.load(bundle / "scaler.pkl")
    assert json.loads((bundle / "scaler.json").read_bytes()) == {
        "mean": scaler.mean_.tolist(),
        "scale": scaler.scale_.tolist(),
    }


def test_both_runtimes_answer_alike(bundle: Path, rows: Rows) -> None:
    assert check_parity(bundle, rows.features, TOLERANCE) <= TOLERANCE


def test_export_leaves_nothing_when_the_two_forms_differ(quick_run: TrainingRun, tmp_path: Path) -> None:
    # The pickled scaler then keeps the mean, which scaler.json subtracts.
    scaler = copy.deepcopy(quick_run.ensemble.scaler)
    scaler.with_mean = False
    ensemble = dataclasses.replace(quick_run.ensemble, scaler=scaler)
    with pytest.raises(ParityError, match=r"442 of 442 predictions .* differ .* by more than 0\.000963"):
        export_bundle(tmp_path, dataclasses.replace(quick_run, ensemble=ensemble))
    assert list(tmp_path.iterdir()) == []


def test_parity_refuses_a_model_that_answers_nan(bundle: Path, rows: Rows, tmp_path: Path) -> None:
    network = keras.saving.load_model(bundle / "tf_model.h5", compile=False)
    network.set_weights([np.full_like(weights, np.nan) for weights in network.get_weights()])
    network.save(tmp_path / "tf_model.h5")
    for name in ("scaler.pkl", "scaler.json", "model.tflite"):
        shutil.copy(bundle / name, tmp_path)
    with pytest.raises(ParityError, match="442 of 442"):
        check_parity(tmp_path, rows.features, TOLERANCE)


def test_progress_off_a_terminal_is_plain_lines() -> None:
    assert find_or_train().output.read_text(encoding="utf-8").splitlines() == [
        f"{stage}: epoch {epoch} of 40"
        for stage in ("Training the model", "Validating on held-out patients")
        for epoch in (10, 20, 30, 40)
    ]


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
