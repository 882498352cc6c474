"""Builds the simpler models for the comparison with the ensemble, each tuned inside its training rows."""

from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray
from sklearn.compose import TransformedTargetRegressor
from sklearn.ensemble import GradientBoostingRegressor, RandomForestRegressor
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import RBF, ConstantKernel, WhiteKernel
from sklearn.linear_model import ElasticNetCV, LassoCV
from sklearn.model_selection import GridSearchCV, KFold, train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import PolynomialFeatures, StandardScaler
from sklearn.svm import SVR

from problem.table import TABLE
from training.validate import build_ridge

Features = NDArray[np.float64]
Targets = NDArray[np.float64]


class Regressor(Protocol):
    """A regressor of scikit-learn: features (n, features) in the units of the table, targets (n,)."""

    def fit(self, features: Features, targets: Targets) -> "Regressor": ...

    def predict(self, features: Features) -> Targets: ...


# The same folds for every model, so that none is tuned on luckier folds.
_INNER = KFold(5, shuffle=True, random_state=0)


def build_lasso() -> Regressor:
    """L1 on the features."""
    model: Regressor = make_pipeline(StandardScaler(), LassoCV(cv=_INNER))
    return model


def build_elastic_net() -> Regressor:
    """L1 and L2 on the features."""
    model: Regressor = make_pipeline(StandardScaler(), ElasticNetCV(l1_ratio=[0.1, 0.5, 0.9], cv=_INNER))
    return model


def build_second_order_lasso() -> Regressor:
    """L1 on the features, their squares and their products."""
    terms = PolynomialFeatures(2, include_bias=False)
    # Scaled twice: before, so that products are not mere sums of their factors; after, for equal penalties.
    model: Regressor = make_pipeline(StandardScaler(), terms, StandardScaler(), LassoCV(cv=_INNER, max_iter=10_000))
    return model


def build_svr() -> Regressor:
    """A support vector machine with a Gaussian kernel."""
    machine = TransformedTargetRegressor(make_pipeline(StandardScaler(), SVR()), transformer=StandardScaler())
    grid = {
        "regressor__svr__C": [0.1, 0.3, 1.0, 3.0, 10.0, 30.0],
        "regressor__svr__gamma": [0.001, 0.003, 0.01, 0.03, 0.1],
        "regressor__svr__epsilon": [0.1, 0.3, 0.5],
    }
    return _search(machine, grid)


def build_random_forest() -> Regressor:
    """200 trees."""
    grid: dict[str, list[float]] = {"min_samples_leaf": [3, 8], "max_features": [0.33, 0.6]}
    return _search(RandomForestRegressor(200, random_state=0), grid)


def build_gradient_boosting() -> Regressor:
    """Shallow boosted trees, each fitted to a part of the rows."""
    grid = {"n_estimators": [60, 120], "max_depth": [1, 2, 3]}
    return _search(GradientBoostingRegressor(subsample=0.7, learning_rate=0.05, random_state=0), grid)


def build_gaussian_process() -> Regressor:
    """A Gaussian kernel with noise and one length for all features, fitted by marginal likelihood."""
    kernel = ConstantKernel() * RBF(5, (1e-1, 1e3)) + WhiteKernel()
    process = make_pipeline(StandardScaler(), GaussianProcessRegressor(kernel, random_state=0))
    model: Regressor = TransformedTargetRegressor(process, transformer=StandardScaler())
    return model


class SingleNetwork:
    """A common network: two hidden layers, with early stopping on a fifth of the training rows."""

    HIDDEN_UNITS = (64, 32)
    # Relative to the variance of the target, because the loss is in squared units.
    L2_PENALTY = 1.7e-3
    DROPOUT = 0.3
    BATCH_ROWS = 32
    MOST_EPOCHS = 500
    STOPPING_PATIENCE_EPOCHS = 30
    PLATEAU_PATIENCE_EPOCHS = 10

    def fit(self, features: Features, targets: Targets) -> "SingleNetwork":
        """Train until the validation loss stops improving."""
        tf.config.experimental.enable_op_determinism()
        keras.utils.set_random_seed(1)
        learned, validating, learned_targets, validating_targets = train_test_split(
            features, targets, test_size=0.2, random_state=1
        )
        self._scaler = StandardScaler().fit(learned)
        self._network = self._build(float(learned_targets.mean()), float(learned_targets.std()))
        self._network.fit(
            self._scaler.transform(learned),
            learned_targets,
            validation_data=(self._scaler.transform(validating), validating_targets),
            batch_size=self.BATCH_ROWS,
            epochs=self.MOST_EPOCHS,
            verbose=0,
            callbacks=[
                keras.callbacks.EarlyStopping(patience=self.STOPPING_PATIENCE_EPOCHS, restore_best_weights=True),
                keras.callbacks.ReduceLROnPlateau(factor=0.5, patience=self.PLATEAU_PATIENCE_EPOCHS),
            ],
        )
        return self

    def predict(self, features: Features) -> Targets:
        """Predict the targets, (n,)."""
        return np.asarray(self._network(self._scaler.transform(features), training=False), np.float64).reshape(-1)

    def _build(self, target_mean: float, target_scale: float) -> keras.Model:
        layers = [keras.Input((len(TABLE.features),))]
        for units in self.HIDDEN_UNITS:
            penalty = keras.regularizers.L2(self.L2_PENALTY * target_scale**2)
            layers += [
                keras.layers.Dense(units, activation="relu", kernel_regularizer=penalty),
                keras.layers.BatchNormalization(),
                keras.layers.Dropout(self.DROPOUT),
            ]
        layers += [keras.layers.Dense(1), keras.layers.Rescaling(target_scale, offset=target_mean)]
        network = keras.Sequential(layers)
        network.compile(optimizer=keras.optimizers.Adam(1e-3), loss="mse")
        return network


BASELINES: dict[str, Callable[[], Regressor]] = {
    "ridge": build_ridge,
    "lasso": build_lasso,
    "elastic net": build_elastic_net,
    "second-order lasso": build_second_order_lasso,
    "svr": build_svr,
    "random forest": build_random_forest,
    "gradient boosting": build_gradient_boosting,
    "gaussian process": build_gaussian_process,
    "single network": SingleNetwork,
}
# The row limit of each model. More rows would take hours, or memory for the square of the rows.
MOST_ROWS = {
    "svr": 2_000,
    "gaussian process": 2_000,
    "random forest": 10_000,
    "gradient boosting": 10_000,
    "single network": 10_000,
}


def choose_baselines(rows: int) -> dict[str, Callable[[], Regressor]]:
    """Return the baselines that can be fitted to this number of rows."""
    return {name: build for name, build in BASELINES.items() if rows <= MOST_ROWS.get(name, rows)}


def _search(model: Regressor, grid: Mapping[str, Sequence[float]]) -> Regressor:
    search: Regressor = GridSearchCV(model, grid, cv=_INNER, scoring="neg_mean_squared_error")
    return search
