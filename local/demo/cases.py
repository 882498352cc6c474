"""Makes cases and outcomes that are like those of the training but are none of them, from a seed.

A case is one of the training rows with a little noise: each value moves to that of a row near it in the order of this
feature. So rounded values stay rounded, and shares of values stay as they were. Its outcome is the expectation of a
linear model, and the error that this model made with a row of a like expectation, which it had not seen. So the network
knows none of the outcomes, and the errors are as large as those of the rows, small and large expectations apart.
"""

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import RidgeCV
from sklearn.model_selection import cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from lambda_app.table import Kind
from problem.table import TABLE
from training.data import Rows

# The standard deviation of the moves, as a share of the rows.
NOISE = 0.02
# The rows of a like expectation whose errors are drawn from.
NEIGHBOURS = 40
FOLDS = 10

Case = dict[str, float]


class CaseMaker:
    """Draws cases with the outcomes that they would have."""

    def __init__(self, rows: Rows, seed: int) -> None:
        self._generator = np.random.default_rng(seed)
        self._rows = rows
        linear = make_pipeline(StandardScaler(), RidgeCV(np.logspace(-1, 3, 30)))
        self._expected: NDArray[np.float64] = cross_val_predict(linear, rows.features, rows.targets, cv=FOLDS)
        self._order = np.argsort(self._expected)
        self._place = np.argsort(self._order)
        self._sorted = np.sort(rows.features, axis=0)
        self._ranks = rows.features.argsort(axis=0).argsort(axis=0)
        self._moves = np.array([feature.kind is not Kind.CHOICES for feature in TABLE.features])

    def draw(self, count: int) -> list[tuple[Case, float]]:
        """Return so many cases, each with its outcome."""
        return [self._draw_one() for _ in range(count)]

    def _draw_one(self) -> tuple[Case, float]:
        row = int(self._generator.integers(len(self._rows)))
        case = self._add_noise(row)
        # A relation that the noise breaks would bring a warning.
        if not all(relation.holds(case) for relation in TABLE.relations):
            case = dict(zip(TABLE.names, self._rows.features[row].tolist(), strict=True))
        return case, self._draw_outcome(row)

    def _add_noise(self, row: int) -> Case:
        count, width = self._rows.features.shape
        moves = self._generator.normal(0, NOISE * count, width).round().astype(int) * self._moves
        ranks = (self._ranks[row] + moves).clip(0, count - 1)
        return dict(zip(TABLE.names, self._sorted[ranks, range(width)].tolist(), strict=True))

    def _draw_outcome(self, row: int) -> float:
        first = int(np.clip(self._place[row] - NEIGHBOURS // 2, 0, len(self._rows) - NEIGHBOURS))
        like = self._order[first : first + NEIGHBOURS]
        other = int(self._generator.choice(like))
        error = self._rows.targets[other] - self._expected[other]
        return float(TABLE.target.cut(self._expected[row] + error))
