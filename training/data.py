"""The rows in real units, its digest, and the folds that are held out in turn."""

import hashlib
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn.model_selection import KFold

from problem import rows
from problem.table import TABLE
from training.errors import DataError

# Not the training seed: nobody can draw lucky folds by trying seeds, and any two versions are judged alike.
HELD_OUT_SEED = 20
HELD_OUT_FOLDS = 5


@dataclass(frozen=True)
class Rows:
    """Rows: `features` (n, columns) in the units of TABLE.features, `targets` (n,) as the table's target."""

    features: NDArray[np.float64]
    targets: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.targets)

    def take(self, positions: NDArray[np.intp]) -> "Rows":
        """Some of the rows."""
        return Rows(self.features[positions], self.targets[positions])


def load_rows() -> Rows:
    """All rows; DataError when their columns are not the table's features in their order."""
    names, features, targets = rows.load_rows()
    if names != TABLE.names:
        raise DataError(f"the rows have the columns {names}, the table has {TABLE.names}")
    return Rows(features, targets)


def digest_rows(rows: Rows) -> str:
    """SHA-256 over features, then targets, as little-endian float64 in row order: the same on every machine."""
    digest = hashlib.sha256()
    for array in (rows.features, rows.targets):
        digest.update(np.ascontiguousarray(array, dtype="<f8").tobytes())
    return digest.hexdigest()


def hold_out(rows: Rows) -> list[tuple[NDArray[np.intp], NDArray[np.intp]]]:
    """Positions of training and held-out rows, five times: each is held out once, for every version the same way."""
    return list(KFold(HELD_OUT_FOLDS, shuffle=True, random_state=HELD_OUT_SEED).split(rows.features))
