"""Writes the bundle of a version, completely or not at all: artifacts, serving files, plots, card, manifest."""

import json
import logging
import os
import tempfile
from datetime import UTC, datetime
from pathlib import Path

import joblib
import keras
import tensorflow as tf

from lambda_app.model.bundle import INTERVAL
from lambda_app.model.interval import IntervalCalibration
from lambda_app.model.tensorflow import FoldAnswers
from problem.table import TABLE
from training.card import write_model_card
from training.fit import Ensemble
from training.gates import find_parity_tolerance
from training.manifest import describe_version, name_version, write_manifest
from training.parity import check_parity
from training.plots import draw_plots
from training.run import TrainingRun

# In 32 rows, a row takes a third of the time of a single row. With 8 it takes longer; more than 32 gain nothing.
# The numbers are fixed, because the file must have fixed shapes.
SIGNATURE_ROWS = (1, 32)


def export_bundle(output: Path, run: TrainingRun) -> Path:
    """Write `output`/<version>/ and return it; raises ParityError and writes nothing if its two forms differ."""
    created_at = datetime.now(UTC)
    # In the same directory as the target, because a rename is atomic only within one file system.
    with tempfile.TemporaryDirectory(dir=output, prefix=".partial-") as scratch:
        directory = Path(scratch, "bundle")
        directory.mkdir()
        write_training_artifacts(directory, run.ensemble)
        write_serving_artifacts(directory, run.ensemble)
        targets = run.rows.targets
        tolerance = find_parity_tolerance(float(targets.min()), float(targets.max()))
        parity = check_parity(directory, run.rows.features, tolerance)
        draw_plots(directory, run)
        version = name_version(directory, created_at)
        description = describe_version(version, created_at, run, parity)
        write_model_card(directory, description)
        write_manifest(directory, description)
        target = output / version
        os.rename(directory, target)
    return target


def write_training_artifacts(directory: Path, ensemble: Ensemble) -> None:
    """Write `tf_model.h5` and `scaler.pkl`."""
    # Keras warns that HDF5 is a legacy format; it is intended here.
    logging.getLogger("absl").setLevel(logging.ERROR)
    ensemble.network.save(directory / "tf_model.h5")
    joblib.dump(ensemble.scaler, directory / "scaler.pkl")


def write_serving_artifacts(directory: Path, ensemble: Ensemble) -> None:
    """Write `model.tflite`, which takes scaled rows as float32, `scaler.json` and `interval.json`."""
    (directory / "model.tflite").write_bytes(_convert_network(ensemble.network))
    scaler = {"mean": ensemble.scaler.mean_.tolist(), "scale": ensemble.scaler.scale_.tolist()}
    _write_json(directory / "scaler.json", scaler)
    _write_json(directory / INTERVAL, _describe_calibration(ensemble.calibration))


def _convert_network(network: keras.Model) -> bytes:
    """Convert the network, with the means of its folds, to a .tflite file with a signature for each number of rows."""
    answers = FoldAnswers(network).network
    archive = keras.export.ExportArchive()
    archive.track(answers)
    names = {rows: f"rows_{rows}" for rows in SIGNATURE_ROWS}
    for rows, name in names.items():
        inputs = tf.TensorSpec((rows, len(TABLE.features)), tf.float32, name="features")
        archive.add_endpoint(name, answers.call, input_signature=[inputs])
    with tempfile.TemporaryDirectory() as saved_model:
        # Through a SavedModel: converting a function of the live network does not freeze the variables, and every
        # prediction is NaN (TensorFlow 2.21 with Keras 3).
        archive.write_out(saved_model, verbose=False)
        content: bytes = tf.lite.TFLiteConverter.from_saved_model(
            saved_model, signature_keys=[*names.values()]
        ).convert()
    return content


def _describe_calibration(calibration: IntervalCalibration) -> dict[str, object]:
    folds = [
        {
            "lowest": fold.lowest,
            "highest": fold.highest,
            "coefficients": fold.coefficients,
            "scores": fold.scores,
        }
        for fold in calibration.folds
    ]
    return {"coverage": calibration.coverage, "folds": folds}


def _write_json(path: Path, document: object) -> None:
    path.write_text(json.dumps(document, indent=2, allow_nan=False) + "\n", encoding="utf-8")
