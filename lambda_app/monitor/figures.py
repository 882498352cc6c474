"""The live figures of some outcomes, each with its 95 % interval."""

from dataclasses import dataclass, replace
from datetime import datetime
from math import isfinite
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import stats

CONFIDENCE = 0.95
# Figures of fewer would show the errors of single cases, and mean nothing.
LEAST_OUTCOMES = 10

Vector = NDArray[np.float64]
Estimate = dict[str, float | None]


@dataclass(frozen=True)
class Evaluated:
    """Predictions with their outcomes in the order in which these were observed, each (n,).

    `inside` is true for cases with a promised coverage; only these have an interval here. `coverage` is the promised
    one, None if there is no such case.
    """

    predictions: Vector
    lower: Vector
    upper: Vector
    values: Vector
    inside: NDArray[np.bool_]
    created_at: list[datetime]
    observed_at: list[datetime]
    coverage: float | None

    def __len__(self) -> int:
        return len(self.values)

    @property
    def covered(self) -> NDArray[np.bool_]:
        """True where the interval holds the truth, of the cases with a promised coverage."""
        kept = self.inside
        found: NDArray[np.bool_] = (self.lower[kept] <= self.values[kept]) & (self.values[kept] <= self.upper[kept])
        return found

    def take(self, places: NDArray[np.intp]) -> "Evaluated":
        """Return some of them, in the order of `places`."""
        return replace(
            self,
            predictions=self.predictions[places],
            lower=self.lower[places],
            upper=self.upper[places],
            values=self.values[places],
            inside=self.inside[places],
            created_at=[self.created_at[place] for place in places],
            observed_at=[self.observed_at[place] for place in places],
        )


# A target without an upper limit may have outcomes whose squares are larger than any float.
@np.errstate(over="ignore", invalid="ignore")
def describe_figures(evaluated: Evaluated) -> dict[str, Any] | None:
    """Return errors, coverage and mean width; None for too few outcomes. The bias is prediction minus truth.

    A figure that is larger than any float is undefined.
    """
    if len(evaluated) < LEAST_OUTCOMES:
        return None
    errors = evaluated.predictions - evaluated.values
    kept = evaluated.inside
    return {
        "outcomes": len(evaluated),
        "mae": estimate_mean(np.abs(errors)),
        "rmse": estimate_rmse(errors),
        "bias": estimate_mean(errors),
        "r2": estimate_r2(errors, evaluated.values),
        "coverage": estimate_share(int(evaluated.covered.sum()), int(kept.sum())),
        "mean_width": estimate_mean(evaluated.upper[kept] - evaluated.lower[kept]),
    }


def estimate_mean(values: Vector) -> Estimate:
    """The mean with Student's interval."""
    if not len(values):
        return _undefined()
    return _give_ends(values.mean(), values.std(ddof=1) / np.sqrt(len(values)) if len(values) > 1 else None, values)


def estimate_rmse(errors: Vector) -> Estimate:
    """The root mean squared error, with an interval by the jackknife."""
    count, total = len(errors), (errors**2).sum()
    if count < 2:
        return _undefined()
    others = np.sqrt((total - errors**2).clip(0) / (count - 1))
    return _give_ends(np.sqrt(total / count), _jackknife(others), errors, lowest=0.0)


def estimate_r2(errors: Vector, values: Vector) -> Estimate:
    """R² against the mean of these outcomes, with an interval by the jackknife."""
    count = len(values)
    if count < 3:
        return _undefined()
    squared, spread = errors**2, (values - values.mean()) ** 2
    total = spread.sum()
    # The spread of all outcomes but one around their own mean.
    others_total = total - count / (count - 1) * spread
    if others_total.min() <= 1e-9 * total or total <= 0:
        return _undefined()
    others = 1 - (squared.sum() - squared) / others_total
    return _give_ends(1 - squared.sum() / total, _jackknife(others), values, highest=1.0)


def estimate_share(count: int, of: int) -> Estimate:
    """A share with Clopper and Pearson's interval."""
    if not of:
        return _undefined()
    tail = (1 - CONFIDENCE) / 2
    # As SciPy's binomtest, which computes a p as well and takes many times as long.
    lower = float(stats.beta.ppf(tail, count, of - count + 1)) if count else 0.0
    upper = float(stats.beta.ppf(1 - tail, count + 1, of - count)) if count < of else 1.0
    return {"value": count / of, "lower": lower, "upper": upper}


def _jackknife(others: Vector) -> float:
    """The standard error of a figure, from the figures without each row in turn."""
    count = len(others)
    return float(np.sqrt((count - 1) / count * ((others - others.mean()) ** 2).sum()))


def _give_ends(
    value: float, standard_error: float | None, rows: Vector, lowest: float = -np.inf, highest: float = np.inf
) -> Estimate:
    if standard_error is None:
        return {**_undefined(), "value": float(value)}
    reach = float(stats.t.ppf((1 + CONFIDENCE) / 2, len(rows) - 1)) * standard_error
    if not (isfinite(value - reach) and isfinite(value + reach)):
        return _undefined()
    return {
        "value": float(value),
        "lower": float(max(value - reach, lowest)),
        "upper": float(min(value + reach, highest)),
    }


def _undefined() -> Estimate:
    return {"value": None, "lower": None, "upper": None}
