"""The diabetes data in real units, its digest, and the folds that are held out in turn."""

import hashlib
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn.datasets import load_diabetes
from sklearn.model_selection import KFold

from lambda_app.features import FEATURE_NAMES
from training.errors import DataError

# Not the training seed: nobody can draw lucky folds by trying seeds, and any two versions are judged alike.
HELD_OUT_SEED = 20
HELD_OUT_FOLDS = 5


@dataclass(frozen=True)
class Rows:
    """Patients: `features` (n, 10) in the units of FEATURES, `targets` (n,) as disease progression after one year."""

    features: NDArray[np.float64]
    targets: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.targets)

    def take(self, positions: NDArray[np.intp]) -> "Rows":
        """Some of the rows."""
        return Rows(self.features[positions], self.targets[positions])


def load_rows() -> Rows:
    """All 442 patients; DataError when scikit-learn's columns are not the service's features in their order."""
    data = load_diabetes(scaled=False)
    names = tuple(data.feature_names)
    if names != FEATURE_NAMES:
        raise DataError(f"the data has the columns {names}, the service has {FEATURE_NAMES}")
    return Rows(np.asarray(data.data, dtype=np.float64), np.asarray(data.target, dtype=np.float64))


def digest_rows(rows: Rows) -> str:
    """SHA-256 over features, then targets, as little-endian float64 in row order: the same on every machine."""
    digest = hashlib.sha256()
    for array in (rows.features, rows.targets):
        digest.update(np.ascontiguousarray(array, dtype="<f8").tobytes())
    return digest.hexdigest()


def hold_out(rows: Rows) -> list[tuple[NDArray[np.intp], NDArray[np.intp]]]:
    """Positions of training and held-out rows, five times: each is held out once, for every version the same way."""
    return list(KFold(HELD_OUT_FOLDS, shuffle=True, random_state=HELD_OUT_SEED).split(rows.features))
