"""Writes a model's bundle, all of it or nothing: training artifacts, their serving form, plots, manifest."""

import json
import logging
import os
import tempfile
from datetime import UTC, datetime
from pathlib import Path

import joblib
import tensorflow as tf

from training.data import Rows, Split, digest_rows
from training.evaluate import Evaluation
from training.fit import Model
from training.manifest import write_manifest
from training.parity import check_parity
from training.plots import draw_plots


def export_bundle(output: Path, *, model: Model, evaluation: Evaluation, rows: Rows, split: Split, seed: int) -> Path:
    """Write `output`/<version>/ and return it; `rows` are all the patients, on whom both forms must agree.

    ParityError, and nothing on disk, when they do not.
    """
    created_at = datetime.now(UTC)
    # Beside the target, because a rename is atomic within one file system only.
    with tempfile.TemporaryDirectory(dir=output, prefix=".partial-") as scratch:
        directory = Path(scratch, "bundle")
        directory.mkdir()
        write_training_artifacts(directory, model)
        write_serving_artifacts(directory, model)
        check_parity(directory, rows.features)
        draw_plots(directory, model, evaluation)
        version = write_manifest(
            directory,
            created_at=created_at,
            seed=seed,
            data_sha256=digest_rows(rows),
            training=split.training,
            evaluation=evaluation,
        )
        target = output / version
        os.rename(directory, target)
    return target


def write_training_artifacts(directory: Path, model: Model) -> None:
    """Write `tf_model.h5` and `scaler.pkl`."""
    # Keras logs that HDF5 is a legacy format; it is the format that is wanted.
    logging.getLogger("absl").setLevel(logging.ERROR)
    model.network.save(directory / "tf_model.h5")
    joblib.dump(model.scaler, directory / "scaler.pkl")


def write_serving_artifacts(directory: Path, model: Model) -> None:
    """Write `model.tflite`, which takes any number of scaled rows as float32, and `scaler.json`."""
    with tempfile.TemporaryDirectory() as saved_model:
        # By way of a SavedModel: converted from a function of the live network, the variables are not
        # frozen and every answer is NaN (TensorFlow 2.21 with Keras 3).
        model.network.export(saved_model, format="tf_saved_model", verbose=False)
        content: bytes = tf.lite.TFLiteConverter.from_saved_model(saved_model).convert()
    (directory / "model.tflite").write_bytes(content)
    scaler = {"mean": model.scaler.mean_.tolist(), "scale": model.scaler.scale_.tolist()}
    (directory / "scaler.json").write_text(json.dumps(scaler, indent=2, allow_nan=False) + "\n", encoding="utf-8")
