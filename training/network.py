"""The shape of the network: what Keras builds before anything is learned."""

import keras

from lambda_app.features import FEATURES

HIDDEN_UNITS = (64, 32)
# The loss is in squared units of the target, thousands at first; a penalty of 0.01 would not be felt beside it.
L2_PENALTY = 10.0
DROPOUT = 0.3
LEARNING_RATE = 1e-3


def build_network(target_mean: float, target_scale: float) -> keras.Sequential:
    """Map scaled measurements, shape (n, 10), to disease progression in its own units, shape (n, 1).

    Every layer learns at a scale near one; the last step, fixed, puts mean and spread of the training targets back.
    """
    layers = [keras.Input((len(FEATURES),), name="measurements")]
    # Names of our own: Keras counts its names on within a process, and they end up in model.tflite.
    for position, units in enumerate(HIDDEN_UNITS, start=1):
        penalty = keras.regularizers.L2(L2_PENALTY)
        layers += [
            keras.layers.Dense(units, activation="relu", kernel_regularizer=penalty, name=f"hidden_{position}"),
            keras.layers.BatchNormalization(name=f"normalization_{position}"),
            keras.layers.Dropout(DROPOUT, name=f"dropout_{position}"),
        ]
    layers += [
        keras.layers.Dense(1, name="standard_progression"),
        keras.layers.Rescaling(target_scale, offset=target_mean, name="progression"),
    ]
    network = keras.Sequential(layers, name="diabetes")
    network.compile(optimizer=keras.optimizers.Adam(LEARNING_RATE), loss="mse", metrics=["mae"])
    return network
