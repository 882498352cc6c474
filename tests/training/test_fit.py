"""Fitting: what the scaler sees, that a seed repeats, that training stops by validation."""

from collections.abc import Callable
from pathlib import Path

import keras
import numpy as np
import pytest

from training.data import Rows, Split
from training.export import write_serving_artifacts
from training.fit import Model, fit_model
from training.network import build_network


def write_tflite(model: Model, directory: Path) -> bytes:
    directory.mkdir()
    write_serving_artifacts(directory, model)
    return (directory / "model.tflite").read_bytes()


def test_same_seed_repeats_the_model_and_another_does_not(quick_fit: Callable[[int], Model], tmp_path: Path) -> None:
    first, again, other = quick_fit(3), quick_fit(3), quick_fit(4)
    for one, two in zip(first.network.get_weights(), again.network.get_weights(), strict=True):
        np.testing.assert_array_equal(one, two)
    assert not np.array_equal(first.network.get_weights()[0], other.network.get_weights()[0])
    assert first.history == again.history

    content = write_tflite(first, tmp_path / "first")
    assert content == write_tflite(again, tmp_path / "again")
    assert content != write_tflite(other, tmp_path / "other")


def test_scaler_is_fitted_on_the_training_rows_alone(quick_model: Model, split: Split, rows: Rows) -> None:
    scaler = quick_model.scaler
    np.testing.assert_allclose(scaler.mean_, split.training.features.mean(axis=0), rtol=1e-12)
    np.testing.assert_allclose(scaler.scale_, split.training.features.std(axis=0), rtol=1e-12)
    rest = np.vstack([split.training.features, split.validation.features])
    for more in (rest, rows.features):
        assert (scaler.mean_ != more.mean(axis=0)).all()


def test_keeps_the_weights_of_the_best_epoch(split: Split) -> None:
    # Validated against noise, training can only make it worse, so that it stops 30 epochs after its best.
    generator = np.random.default_rng(0)
    noise = Rows(split.validation.features, generator.permutation(split.validation.targets))
    epochs: list[int] = []
    maes: list[float] = []

    def report(epoch: int, mae: float) -> None:
        epochs.append(epoch)
        maes.append(mae)

    model = fit_model(Split(split.training, noise, split.held_out), 1, 500, report)

    assert epochs == list(range(1, model.best_epoch + 31))
    assert maes == model.history["val_mae"]
    assert model.best_epoch == 1 + int(np.argmin(model.history["val_loss"]))
    kept = np.abs(model.predict(noise) - noise.targets).mean()
    assert kept == pytest.approx(maes[model.best_epoch - 1], rel=1e-5)
    assert model.history["learning_rate"][-1] < model.history["learning_rate"][0]


def test_untrained_network_is_built_as_described_and_starts_in_the_units_of_the_target() -> None:
    keras.utils.set_random_seed(0)
    network = build_network(target_mean=152.0, target_scale=77.0)
    kinds = [type(layer).__name__ for layer in network.layers]
    block = ["Dense", "BatchNormalization", "Dropout"]
    assert kinds == [*block, *block, "Dense", "Rescaling"]
    assert network.input_shape == (None, 10)
    assert network.output_shape == (None, 1)
    assert float(network(np.zeros((1, 10)), training=False)[0, 0]) == pytest.approx(152.0)
