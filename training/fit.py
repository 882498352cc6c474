"""Fits scaler and network to the training rows; the same seed on the same machine gives the same model."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray
from sklearn.preprocessing import StandardScaler

from training.data import Rows, Split
from training.network import build_network

BATCH_ROWS = 32
STOPPING_PATIENCE_EPOCHS = 30
PLATEAU_PATIENCE_EPOCHS = 10


@dataclass(frozen=True)
class Model:
    """A fitted scaler and network, and how they came to be: Keras's history by metric; `best_epoch` from 1."""

    scaler: StandardScaler
    network: keras.Sequential
    history: Mapping[str, Sequence[float]]
    best_epoch: int

    def predict(self, rows: Rows) -> NDArray[np.float64]:
        """Disease progression, shape (n,)."""
        output: NDArray[np.float32] = self.network(self.scaler.transform(rows.features), training=False).numpy()
        return output.reshape(-1).astype(np.float64)


def fit_model(split: Split, seed: int, epochs: int, report_epoch: Callable[[int, float], None]) -> Model:
    """Train for at most `epochs`, until validation stops improving; `report_epoch` gets epoch and validation MAE."""
    tf.config.experimental.enable_op_determinism()
    keras.utils.set_random_seed(seed)
    # Fitted on the training rows alone: what validates and judges must be as new to the scaler as a patient is.
    scaler = StandardScaler().fit(split.training.features)
    network = build_network(float(split.training.targets.mean()), float(split.training.targets.std()))
    stopping = keras.callbacks.EarlyStopping(patience=STOPPING_PATIENCE_EPOCHS, restore_best_weights=True)
    history = network.fit(
        scaler.transform(split.training.features),
        split.training.targets,
        validation_data=(scaler.transform(split.validation.features), split.validation.targets),
        batch_size=BATCH_ROWS,
        epochs=epochs,
        verbose=0,
        callbacks=[
            stopping,
            keras.callbacks.ReduceLROnPlateau(factor=0.5, patience=PLATEAU_PATIENCE_EPOCHS),
            keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: report_epoch(epoch + 1, logs["val_mae"])),
        ],
    )
    return Model(scaler, network, history.history, stopping.best_epoch + 1)
