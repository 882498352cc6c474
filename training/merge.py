"""The network as it is served: what follows on each other without a bend between is one step.

Training wants normalisations, members side by side and a mean over them; an answer wants few steps, each of which costs
its own time. Of 31 that LiteRT took 11 are left: a row takes a fifth less, a thousand a third.
"""

import keras
import numpy as np
from numpy.typing import NDArray

from problem.table import TABLE
from training.network import FOLDS, HIDDEN_UNITS, MEMBERS, MEMBERS_PER_FOLD, assign_members

Array = NDArray[np.float64]


def merge_network(network: keras.Model) -> keras.Model:
    """What `build_ensemble` made, with its answers and those of its folds: (n, 10) to [(n, 1), (n, FOLDS)].

    They differ from the network's own by rounding alone.
    """
    first, second = HIDDEN_UNITS
    [fractions] = _read(network, "input_map")
    inputs = keras.Input((len(TABLE.features),), name="measurements")

    # All members look at the same measurements: one layer as wide as theirs together.
    kernel, bias = _read(network, "hidden_1")
    merged = np.einsum("ij,mjo->imo", fractions, kernel).reshape(len(TABLE.features), -1)
    bent = _make_dense("hidden_1", merged, bias.ravel(), activation="relu")(inputs)

    scale, shift = _read_normalization(network, 1, first)
    kernel, bias = _read(network, "hidden_2")
    members = keras.layers.EinsumDense(
        "nmi,mio->nmo", (MEMBERS, second), bias_axes="mo", activation="relu", name="hidden_2"
    )
    bent = members(keras.layers.Reshape((MEMBERS, first), name="members")(bent))
    members.set_weights([kernel * scale[:, :, np.newaxis], bias + np.einsum("mi,mio->mo", shift, kernel)])

    # Each fold's answer is a sum over its members, and so over their units.
    scale, shift = _read_normalization(network, 2, second)
    rescaling = network.get_layer("folds")
    shares = np.eye(FOLDS)[assign_members()] * rescaling.scale / MEMBERS_PER_FOLD
    [nonlinear] = _read(network, "nonlinear")
    linear, bias = _read(network, "linear")
    bent = _make_dense("bent", np.einsum("mi,mf->mif", nonlinear * scale, shares).reshape(-1, FOLDS))(
        keras.layers.Reshape((MEMBERS * second,), name="units")(bent)
    )
    constant = ((nonlinear * shift).sum(axis=1) + bias) @ shares + rescaling.offset
    straight = _make_dense("straight", np.einsum("ij,mj,mf->if", fractions, linear, shares), constant)(inputs)
    folds = keras.layers.Add(name="folds")([bent, straight])
    progression = keras.ops.mean(folds, axis=1, keepdims=True)
    return keras.Model(inputs, [progression, folds], name="merged")


def _read(network: keras.Model, layer: str) -> list[Array]:
    return [np.asarray(weights, dtype=np.float64) for weights in network.get_layer(layer).get_weights()]


def _read_normalization(network: keras.Model, position: int, units: int) -> tuple[Array, Array]:
    """By what it multiplies and what it adds, (MEMBERS, units) each."""
    name = f"normalization_{position}"
    gamma, beta, mean, variance = _read(network, name)
    scale = gamma / np.sqrt(variance + network.get_layer(name).epsilon)
    return scale.reshape(MEMBERS, units), (beta - mean * scale).reshape(MEMBERS, units)


def _make_dense(
    name: str, kernel: Array, bias: Array | None = None, activation: str | None = None
) -> keras.layers.Dense:
    weights = [kernel] if bias is None else [kernel, bias]
    layer = keras.layers.Dense(kernel.shape[1], activation=activation, use_bias=bias is not None, name=name)
    layer.build((None, len(kernel)))
    layer.set_weights(weights)
    return layer
