"""The structure of the network in Keras.

An ensemble is one Keras model with a separate axis for its members: every layer holds the weights of all members, and
the members are independent. So any number of members trains in one pass, also those of several ensembles. The members
of one ensemble can be sliced out along that axis.
"""

from collections.abc import Sequence

import keras
import numpy as np
from numpy.typing import NDArray

from problem.table import TABLE

FOLDS = 10
# Members that leave out the same fold.
MEMBERS_PER_FOLD = 4
MEMBERS = FOLDS * MEMBERS_PER_FOLD
HIDDEN_UNITS = (128, 8)
DROPOUT = 0.5
# L2 penalties apply to the scales of batch normalisation and to the last layer. Normalisation removes the scale of the
# kernels before it, so a penalty on them had no measurable effect.
SCALE_PENALTY = 0.01
OUTPUT_PENALTY = 0.1
# A model trains for only some hundred steps; with Keras's default 0.99, early batches would count too long.
NORMALIZATION_MOMENTUM = 0.9


def build_members(count: int) -> keras.Model:
    """Build `count` networks side by side: inputs, (n, count, features), to standardised targets, (n, count)."""
    inputs = keras.Input((count, len(TABLE.features)), name="members")
    return keras.Model(inputs, _connect_members(inputs, count), name="members")


def build_ensemble(
    input_map: NDArray[np.float64],
    target_mean: float,
    target_scale: float,
    weights: Sequence[NDArray[np.float32]],
) -> keras.Model:
    """Map scaled features, (n, features), to the target, the mean over all members, (n, 1).

    `weights` are those of `build_members(MEMBERS)`, in the order of `assign_members`. The layer "folds" returns the
    mean of each fold's members, (n, FOLDS).
    """
    inputs = keras.Input((len(TABLE.features),), name="features")
    mapped = keras.layers.Dense(len(TABLE.features), use_bias=False, trainable=False, name="input_map")
    repeated = keras.layers.RepeatVector(MEMBERS, name="to_each_member")(mapped(inputs))
    standardised = _connect_members(repeated, MEMBERS)
    by_fold = keras.layers.Reshape((MEMBERS_PER_FOLD, FOLDS), name="by_fold")(standardised)
    fold_means = keras.layers.GlobalAveragePooling1D(name="fold_means")(by_fold)
    folds = keras.layers.Rescaling(target_scale, offset=target_mean, name="folds")(fold_means)
    column = keras.layers.Reshape((FOLDS, 1), name="column")(folds)
    network = keras.Model(inputs, keras.layers.GlobalAveragePooling1D(name="prediction")(column), name="ensemble")
    network.set_weights([input_map, *weights])
    return network


def assign_members() -> NDArray[np.intp]:
    """Return the fold that each member of an ensemble leaves out, (MEMBERS,)."""
    return np.tile(np.arange(FOLDS), MEMBERS_PER_FOLD)


def cut_members(weights: Sequence[NDArray[np.float32]], ensembles: int, position: int) -> list[NDArray[np.float32]]:
    """Return the weights of the ensemble at `position` among `ensembles` side by side."""
    # The first axis of every weight is the members, or the members times its units.
    return [np.split(weight, ensembles)[position] for weight in weights]


def _connect_members(inputs: keras.KerasTensor, count: int) -> keras.KerasTensor:
    outputs = inputs
    # Explicit names: Keras numbers its default names within a process, and names are stored in model.tflite.
    fan_in = len(TABLE.features)
    for position, units in enumerate(HIDDEN_UNITS, start=1):
        outputs = keras.layers.EinsumDense(
            "nmi,mio->nmo",
            (count, units),
            bias_axes="mo",
            activation="relu",
            kernel_initializer=_spread_uniformly(fan_in, units),
            name=f"hidden_{position}",
        )(outputs)
        outputs = keras.layers.Reshape((count * units,), name=f"flat_{position}")(outputs)
        outputs = keras.layers.BatchNormalization(
            momentum=NORMALIZATION_MOMENTUM,
            gamma_regularizer=keras.regularizers.L2(SCALE_PENALTY),
            name=f"normalization_{position}",
        )(outputs)
        outputs = keras.layers.Reshape((count, units), name=f"members_{position}")(outputs)
        outputs = keras.layers.Dropout(DROPOUT, name=f"dropout_{position}")(outputs)
        fan_in = units
    bent = keras.layers.EinsumDense(
        "nmi,mi->nm",
        (count,),
        kernel_initializer=_spread_uniformly(fan_in, 1),
        kernel_regularizer=keras.regularizers.L2(OUTPUT_PENALTY),
        name="nonlinear",
    )(outputs)
    straight = keras.layers.EinsumDense(
        "nmi,mi->nm", (count,), bias_axes="m", kernel_initializer="zeros", name="linear"
    )(inputs)
    return keras.layers.Add(name="standard_prediction")([bent, straight])


def _spread_uniformly(fan_in: int, fan_out: int) -> keras.Initializer:
    """Glorot and Bengio's uniform initializer; Keras's own would count the axis of members as inputs."""
    limit = float(np.sqrt(6 / (fan_in + fan_out)))
    return keras.initializers.RandomUniform(-limit, limit)
