"""Fits ensembles to training rows, all their members side by side; the same seed on the same machine repeats them."""

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
# Or more batches, where they would be larger: what a batch takes in memory must not grow with the rows.
LARGEST_BATCH = 512
# So many rows of each member are enough to follow it by.
FOLLOWED_ROWS = 1_000
STOPPING_PATIENCE_EPOCHS = 30
PLATEAU_PATIENCE_EPOCHS = 10

ReportEpoch = Callable[[int], None]
Stack = tuple[NDArray[np.float32], NDArray[np.float32]]


class Schedule(StrEnum):
    """How the learning rate falls: along a cosine to zero, or by half when the left-out rows gain no more."""

    COSINE = "cosine"
    PLATEAU = "plateau"


@dataclass(frozen=True)
class Ensemble:
    """A fitted scaler and network, with what its intervals need.

    `out_of_fold`, (n,), is what the members that left a training row out predict for it.
    """

    scaler: StandardScaler
    network: keras.Model
    out_of_fold: NDArray[np.float64]
    calibration: IntervalCalibration

    def predict(self, features: NDArray[np.float64]) -> NDArray[np.float64]:
        """Predict the target, (n,), from features in the units of the table, (n, features)."""
        return self.answer(features)[0]

    def predict_intervals(self, features: NDArray[np.float64]) -> NDArray[np.float64]:
        """Lower and upper end, (n, 2)."""
        return np.array([self.calibration.predict(means) for means in self.answer(features)[1].tolist()])

    def answer(self, features: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Predict the target, (n,), and what the members of each fold say, (n, folds)."""
        return self._fold_answers(self.scaler.transform(features))

    @cached_property
    def _fold_answers(self) -> FoldAnswers:
        return FoldAnswers(self.network)


@dataclass(frozen=True)
class Curves:
    """RMSE of every member in the target's units, (epochs, members): on rows it learned, and on the fold it left out.

    `learning_rates` (epochs,); `kept_epoch`, from 1, is the one whose weights the ensembles have.
    """

    learned: NDArray[np.float64]
    left_out: NDArray[np.float64]
    learning_rates: NDArray[np.float64]
    kept_epoch: int


def fit_ensemble(
    rows: Rows, seed: int, *, epochs: int, schedule: Schedule, report_epoch: ReportEpoch
) -> tuple[Ensemble, Curves]:
    """Fit one ensemble and follow all of its members; otherwise as `fit_ensembles`."""
    recorder = _CurveRecorder()
    [ensemble], kept_epoch = _fit([rows], seed, epochs, schedule, report_epoch, recorder)
    return ensemble, recorder.finish(kept_epoch)


def fit_ensembles(
    trainings: Sequence[Rows], seed: int, *, epochs: int, schedule: Schedule, report_epoch: ReportEpoch
) -> list[Ensemble]:
    """Fit one ensemble to each set of rows, all in one pass; `report_epoch` gets each epoch's number, from 1.

    By the cosine all `epochs` are run. By the plateau training ends 30 epochs after the one in which the left-out rows
    fared best, and keeps that one.
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
    """The ensembles, and the epoch, from 1, whose weights they have."""
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
    """The batches of an epoch over so many rows."""
    return max(BATCHES_PER_EPOCH, -(-rows // LARGEST_BATCH))


def choose_epochs(rows: int) -> int:
    """As many epochs as take the steps of DEFAULT_EPOCHS on a small table, and LEAST_EPOCHS at least."""
    steps = DEFAULT_EPOCHS * BATCHES_PER_EPOCH
    return max(LEAST_EPOCHS, round(steps / count_batches(rows)))


def _plan(
    schedule: Schedule, epochs: int, batches: int
) -> tuple[
    float | keras.optimizers.schedules.LearningRateSchedule,
    list[keras.callbacks.Callback],
    keras.callbacks.EarlyStopping | None,
]:
    """The learning rate, the callbacks that change it, and the one that stops, if any does."""
    if schedule is Schedule.COSINE:
        return keras.optimizers.schedules.CosineDecay(LEARNING_RATE, epochs * batches), [], None
    # Not the loss, in which the penalties keep falling when the errors no longer do.
    watched = "val_mse"
    stopping = keras.callbacks.EarlyStopping(watched, patience=STOPPING_PATIENCE_EPOCHS, restore_best_weights=True)
    plateau = keras.callbacks.ReduceLROnPlateau(watched, factor=0.5, patience=PLATEAU_PATIENCE_EPOCHS)
    return LEARNING_RATE, [stopping, plateau], stopping


class _Task:
    """The training rows of one ensemble: scaled by themselves, dealt into folds."""

    def __init__(self, rows: Rows, generator: np.random.Generator) -> None:
        # Fitted on the training rows alone: a held-out row must be as new to the scaler as a new case is. The members
        # share it, so those that leave a fold out know its part in mean and spread, and nothing else of it.
        self.scaler = StandardScaler().fit(rows.features)
        scaled = self.scaler.transform(rows.features)
        self.input_map = find_input_map(self.scaler.scale_, scaled)
        self.target_mean, self.target_scale = float(rows.targets.mean()), float(rows.targets.std())
        # In the network's precision at once: every member gets a copy.
        self.inputs = (scaled @ self.input_map).astype(np.float32)
        self.standard_targets = ((rows.targets - self.target_mean) / self.target_scale).astype(np.float32)
        self.fold_of_row = generator.permutation(np.resize(np.arange(FOLDS), len(rows)))
        self._rows = rows

    def draw(self, *, left_out: bool, generator: np.random.Generator) -> list[NDArray[np.intp]]:
        """For each member the rows of its fold, or all others, each in an order of its own."""
        return [
            generator.permutation(np.flatnonzero((self.fold_of_row == fold) == left_out)) for fold in assign_members()
        ]

    def finish(self, weights: Sequence[NDArray[np.float32]]) -> Ensemble:
        """The ensemble of the trained members."""
        network = build_ensemble(self.input_map, self.target_mean, self.target_scale, weights)
        _, fold_means = FoldAnswers(network)(self.scaler.transform(self._rows.features))
        out_of_fold = fold_means[np.arange(len(self._rows)), self.fold_of_row]
        calibration = calibrate_intervals(out_of_fold, self._rows.targets, self.fold_of_row)
        return Ensemble(self.scaler, network, out_of_fold, calibration)


def _stack(tasks: Sequence[_Task], generator: np.random.Generator, *, left_out: bool) -> Stack:
    """Stack inputs, (rows, members, features), and targets, (rows, members), of all members of all tasks.

    Where a member has fewer rows than another, some of its rows stand twice.
    """
    drawn = [(task, rows) for task in tasks for rows in task.draw(left_out=left_out, generator=generator)]
    length = max(len(rows) for _, rows in drawn)
    inputs = np.stack([task.inputs[np.resize(rows, length)] for task, rows in drawn], axis=1)
    targets = np.stack([task.standard_targets[np.resize(rows, length)] for task, rows in drawn], axis=1)
    return inputs, targets


def _sum_over_members(actual: tf.Tensor, predicted: tf.Tensor) -> tf.Tensor:
    """Each row's squared errors, (n,). A sum: a member learns alike however many others there are."""
    return tf.reduce_sum(tf.square(actual - predicted), axis=-1)


class _CurveRecorder(keras.callbacks.Callback):  # type: ignore[misc] # Keras has no types
    """Asks every member after each epoch how it does."""

    def __init__(self) -> None:
        super().__init__()
        self._errors: list[list[NDArray[np.float64]]] = []
        self._rates: list[float] = []

    def follow(self, learned: Stack, left_out: Stack, target_scales: NDArray[np.float64]) -> None:
        """Ask about these rows; `target_scales` (members,) bring the errors into the target's units."""
        self._parts = [(inputs[:FOLLOWED_ROWS], targets[:FOLLOWED_ROWS]) for inputs, targets in (learned, left_out)]
        self._target_scales = target_scales

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        """Keras calls this."""
        self._rates.append(float(self.model.optimizer.learning_rate))
        self._errors.append(
            [
                np.sqrt(np.mean((self.model(inputs, training=False).numpy() - targets) ** 2, axis=0))
                * self._target_scales
                for inputs, targets in self._parts
            ]
        )

    def finish(self, kept_epoch: int) -> Curves:
        """All that was recorded."""
        learned, left_out = np.array(self._errors).swapaxes(0, 1)
        return Curves(learned, left_out, np.array(self._rates), kept_epoch)
