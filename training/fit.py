"""Fits ensembles to training rows, with all members in one pass. The same seed repeats them on one machine."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray
from sklearn.preprocessing import StandardScaler

from lambda_app.model.interval import IntervalCalibration
from lambda_app.model.tensorflow import FoldAnswers
from problem.inputs import find_input_map
from training import DEFAULT_EPOCHS, LEAST_EPOCHS
from training.calibrate import calibrate_intervals
from training.data import Rows
from training.network import (
    FOLDS,
    MEMBERS,
    assign_members,
    build_ensemble,
    build_members,
    cut_members,
)

LEARNING_RATE = 1e-2
BATCHES_PER_EPOCH = 3
# Larger tables get more batches, so that the memory of a batch does not grow with the rows.
LARGEST_BATCH = 512
# This number of rows of each member is enough for its learning curve.
FOLLOWED_ROWS = 1_000
STOPPING_PATIENCE_EPOCHS = 30
PLATEAU_PATIENCE_EPOCHS = 10

ReportEpoch = Callable[[int], None]
Stack = tuple[NDArray[np.float32], NDArray[np.float32]]


class Schedule(StrEnum):
    """The learning rate over time: along a cosine to zero, or halved when the error on left-out rows stops falling."""

    COSINE = "cosine"
    PLATEAU = "plateau"


@dataclass(frozen=True)
class Ensemble:
    """A fitted scaler and network, with the data for its intervals.

    `out_of_fold`, (n,), are the predictions for each training row by the members that left it out.
    """

    scaler: StandardScaler
    network: keras.Model
    out_of_fold: NDArray[np.float64]
    calibration: IntervalCalibration

    def predict(self, features: NDArray[np.float64]) -> NDArray[np.float64]:
        """Predict the target, (n,), from features in the units of the table, (n, features)."""
        return self.answer(features)[0]

    def predict_intervals(self, features: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return lower and upper ends, (n, 2)."""
        return np.array([self.calibration.predict(means) for means in self.answer(features)[1].tolist()])

    def answer(self, features: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Predict the target, (n,), and the mean of each fold's members, (n, folds)."""
        return self._fold_answers(self.scaler.transform(features))

    @cached_property
    def _fold_answers(self) -> FoldAnswers:
        return FoldAnswers(self.network)


@dataclass(frozen=True)
class Curves:
    """RMSE of every member in units of the target, (epochs, members): on training rows, and on its left-out fold.

    `learning_rates` (epochs,). The ensembles have the weights of `kept_epoch`, counted from 1.
    """

    learned: NDArray[np.float64]
    left_out: NDArray[np.float64]
    learning_rates: NDArray[np.float64]
    kept_epoch: int


def fit_ensemble(
    rows: Rows, seed: int, *, epochs: int, schedule: Schedule, report_epoch: ReportEpoch
) -> tuple[Ensemble, Curves]:
    """Fit one ensemble as `fit_ensembles` does, and return the curves of its members."""
    recorder = _CurveRecorder()
    [ensemble], kept_epoch = _fit([rows], seed, epochs, schedule, report_epoch, recorder)
    return ensemble, recorder.finish(kept_epoch)


def fit_ensembles(
    trainings: Sequence[Rows], seed: int, *, epochs: int, schedule: Schedule, report_epoch: ReportEpoch
) -> list[Ensemble]:
    """Fit one ensemble to each set of rows, all in one pass; `report_epoch` gets each epoch's number, from 1.

    The cosine schedule runs all `epochs`. The plateau schedule stops 30 epochs after the lowest error on the left-out
    rows, and keeps the weights of that epoch.
    """
    return _fit(trainings, seed, epochs, schedule, report_epoch, recorder=None)[0]


def _fit(
    trainings: Sequence[Rows],
    seed: int,
    epochs: int,
    schedule: Schedule,
    report_epoch: ReportEpoch,
    recorder: "_CurveRecorder | None",
) -> tuple[list[Ensemble], int]:
    """Fit the ensembles; return them, and the epoch of their weights, from 1."""
    tf.config.experimental.enable_op_determinism()
    keras.utils.set_random_seed(seed)
    generator = np.random.default_rng(seed)
    tasks = [_Task(rows, generator) for rows in trainings]
    learned = _stack(tasks, generator, left_out=False)
    left_out = _stack(tasks, generator, left_out=True)

    network = build_members(MEMBERS * len(tasks))
    batches = count_batches(len(learned[0]))
    rate, callbacks, stopping = _plan(schedule, epochs, batches)
    callbacks.append(keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: report_epoch(epoch + 1)))
    if recorder:
        recorder.follow(learned, left_out, np.repeat([task.target_scale for task in tasks], MEMBERS))
        callbacks.append(recorder)
    network.compile(optimizer=keras.optimizers.Adam(rate), loss=_sum_over_members, metrics=["mse"])
    network.fit(
        *learned,
        validation_data=left_out if stopping else None,
        batch_size=-(-len(learned[0]) // batches),
        epochs=epochs,
        verbose=0,
        callbacks=callbacks,
    )
    weights = network.get_weights()
    ensembles = [task.finish(cut_members(weights, len(tasks), position)) for position, task in enumerate(tasks)]
    return ensembles, stopping.best_epoch + 1 if stopping else epochs


def count_batches(rows: int) -> int:
    """Return the number of batches in an epoch with this number of rows."""
    return max(BATCHES_PER_EPOCH, -(-rows // LARGEST_BATCH))


def choose_epochs(rows: int) -> int:
    """Return the epochs with as many steps as DEFAULT_EPOCHS on a small table, at least LEAST_EPOCHS."""
    steps = DEFAULT_EPOCHS * BATCHES_PER_EPOCH
    return max(LEAST_EPOCHS, round(steps / count_batches(rows)))


def _plan(
    schedule: Schedule, epochs: int, batches: int
) -> tuple[
    float | keras.optimizers.schedules.LearningRateSchedule,
    list[keras.callbacks.Callback],
    keras.callbacks.EarlyStopping | None,
]:
    """Return the learning rate, the callbacks that change it, and the callback that stops, if any."""
    if schedule is Schedule.COSINE:
        return keras.optimizers.schedules.CosineDecay(LEARNING_RATE, epochs * batches), [], None
    # Not the loss: its penalties keep falling when the errors no longer do.
    watched = "val_mse"
    stopping = keras.callbacks.EarlyStopping(watched, patience=STOPPING_PATIENCE_EPOCHS, restore_best_weights=True)
    plateau = keras.callbacks.ReduceLROnPlateau(watched, factor=0.5, patience=PLATEAU_PATIENCE_EPOCHS)
    return LEARNING_RATE, [stopping, plateau], stopping


class _Task:
    """The training rows of one ensemble, scaled and split into folds."""

    def __init__(self, rows: Rows, generator: np.random.Generator) -> None:
        # Fitted only to the training rows, so that held-out rows are new to the scaler too. All members share it. So
        # the rows of a left-out fold affect its members only through mean and scale.
        self.scaler = StandardScaler().fit(rows.features)
        scaled = self.scaler.transform(rows.features)
        self.input_map = find_input_map(self.scaler.scale_, scaled)
        self.target_mean, self.target_scale = float(rows.targets.mean()), float(rows.targets.std())
        # Converted to the precision of the network here, because every member gets a copy.
        self.inputs = (scaled @ self.input_map).astype(np.float32)
        self.standard_targets = ((rows.targets - self.target_mean) / self.target_scale).astype(np.float32)
        self.fold_of_row = generator.permutation(np.resize(np.arange(FOLDS), len(rows)))
        self._rows = rows

    def draw(self, *, left_out: bool, generator: np.random.Generator) -> list[NDArray[np.intp]]:
        """Return for each member the rows of its fold, or all others, in a different random order each."""
        return [
            generator.permutation(np.flatnonzero((self.fold_of_row == fold) == left_out)) for fold in assign_members()
        ]

    def finish(self, weights: Sequence[NDArray[np.float32]]) -> Ensemble:
        """Return the ensemble of the trained members."""
        network = build_ensemble(self.input_map, self.target_mean, self.target_scale, weights)
        _, fold_means = FoldAnswers(network)(self.scaler.transform(self._rows.features))
        out_of_fold = fold_means[np.arange(len(self._rows)), self.fold_of_row]
        calibration = calibrate_intervals(out_of_fold, self._rows.targets, self.fold_of_row)
        return Ensemble(self.scaler, network, out_of_fold, calibration)


def _stack(tasks: Sequence[_Task], generator: np.random.Generator, *, left_out: bool) -> Stack:
    """Stack inputs, (rows, members, features), and targets, (rows, members), of all members of all tasks.

    If a member has fewer rows than another, some of its rows are repeated.
    """
    drawn = [(task, rows) for task in tasks for rows in task.draw(left_out=left_out, generator=generator)]
    length = max(len(rows) for _, rows in drawn)
    inputs = np.stack([task.inputs[np.resize(rows, length)] for task, rows in drawn], axis=1)
    targets = np.stack([task.standard_targets[np.resize(rows, length)] for task, rows in drawn], axis=1)
    return inputs, targets


def _sum_over_members(actual: tf.Tensor, predicted: tf.Tensor) -> tf.Tensor:
    """Return the squared errors of each row, (n,). A sum, so that other members do not change the gradient."""
    return tf.reduce_sum(tf.square(actual - predicted), axis=-1)


class _CurveRecorder(keras.callbacks.Callback):  # type: ignore[misc] # Keras has no types
    """Records the errors of every member after each epoch."""

    def __init__(self) -> None:
        super().__init__()
        self._errors: list[list[NDArray[np.float64]]] = []
        self._rates: list[float] = []

    def follow(self, learned: Stack, left_out: Stack, target_scales: NDArray[np.float64]) -> None:
        """Record these rows; `target_scales` (members,) convert errors to the units of the target."""
        self._parts = [(inputs[:FOLLOWED_ROWS], targets[:FOLLOWED_ROWS]) for inputs, targets in (learned, left_out)]
        self._target_scales = target_scales

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        """Record an epoch; called by Keras."""
        self._rates.append(float(self.model.optimizer.learning_rate))
        self._errors.append(
            [
                np.sqrt(np.mean((self.model(inputs, training=False).numpy() - targets) ** 2, axis=0))
                * self._target_scales
                for inputs, targets in self._parts
            ]
        )

    def finish(self, kept_epoch: int) -> Curves:
        """Return the recorded curves."""
        learned, left_out = np.array(self._errors).swapaxes(0, 1)
        return Curves(learned, left_out, np.array(self._rates), kept_epoch)
