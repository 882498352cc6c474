"""The diabetes data in real units, its digest, and its split into training, validation and held-out rows."""

import hashlib
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn.datasets import load_diabetes
from sklearn.model_selection import train_test_split

from lambda_app.features import FEATURE_NAMES
from training.errors import DataError

# Not the training seed: nobody can draw a lucky test by trying seeds, and two versions are judged on the same patients.
HELD_OUT_SEED = 20
HELD_OUT_SHARE = 0.2
VALIDATION_SHARE = 0.2


@dataclass(frozen=True)
class Rows:
    """Patients: `features` (n, 10) in the units of FEATURES, `targets` (n,) as disease progression after one year."""

    features: NDArray[np.float64]
    targets: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.targets)


@dataclass(frozen=True)
class Split:
    """The network learns from `training`, stops by `validation`, and is judged once on `held_out`."""

    training: Rows
    validation: Rows
    held_out: Rows


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


def split_rows(rows: Rows, seed: int) -> Split:
    """Hold out a fifth, the same for every seed; of the rest, `seed` draws the fifth that validates."""
    rest, held_out = _draw(rows, HELD_OUT_SHARE, HELD_OUT_SEED)
    training, validation = _draw(rest, VALIDATION_SHARE, seed)
    return Split(training, validation, held_out)


def _draw(rows: Rows, share: float, seed: int) -> tuple[Rows, Rows]:
    features, drawn_features, targets, drawn_targets = train_test_split(
        rows.features, rows.targets, test_size=share, random_state=seed
    )
    return Rows(features, targets), Rows(drawn_features, drawn_targets)
