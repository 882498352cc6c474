"""The rows in real units, their digest, and the folds that are held out in turn."""

import hashlib
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn.model_selection import KFold

from problem import rows
from problem.table import TABLE
from training.errors import DataError

# Independent of the training seed: nobody can search for lucky folds, and all versions use the same ones.
HELD_OUT_SEED = 20
HELD_OUT_FOLDS = 5


@dataclass(frozen=True)
class Rows:
    """The rows: `features` (n, columns) in the units of TABLE.features, `targets` (n,) in those of the target."""

    features: NDArray[np.float64]
    targets: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.targets)

    def take(self, positions: NDArray[np.intp]) -> "Rows":
        """Return some of the rows."""
        return Rows(self.features[positions], self.targets[positions])


def load_rows() -> Rows:
    """Load all rows; raises DataError unless their columns are the table's features in order."""
    names, features, targets = rows.load_rows()
    if names != TABLE.names:
        raise DataError(f"the rows have the columns {names}, the table has {TABLE.names}")
    return Rows(features, targets)


def digest_rows(rows: Rows) -> str:
    """Compute SHA-256 of features, then targets, as little-endian float64 in row order: equal on every machine."""
    digest = hashlib.sha256()
    for array in (rows.features, rows.targets):
        digest.update(np.ascontiguousarray(array, dtype="<f8").tobytes())
    return digest.hexdigest()


def hold_out(rows: Rows) -> list[tuple[NDArray[np.intp], NDArray[np.intp]]]:
    """Return positions of training and held-out rows for five folds, the same for every version."""
    return list(KFold(HELD_OUT_FOLDS, shuffle=True, random_state=HELD_OUT_SEED).split(rows.features))
