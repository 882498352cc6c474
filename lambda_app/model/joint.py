"""The distance of a case from the training cases, by all features together: the Mahalanobis distance.

A case can be within the range of every feature and still be unusual, because features are correlated.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import hypot
from operator import mul
from typing import Any

from lambda_app.model.json_numbers import read_number, read_numbers
from problem.table import TABLE


@dataclass(frozen=True)
class JointLimit:
    """The largest distance from the training mean at which a case counts as like the training cases.

    `whitening`, (directions, features), maps the deviation from `mean`, (features,), to uncorrelated directions with a
    variance of one in training. The length of the result is the distance. The share `quantile` of the training cases is
    within `limit`.
    """

    quantile: float
    limit: float
    mean: Sequence[float]
    whitening: Sequence[Sequence[float]]

    def measure_distance(self, row: Sequence[float]) -> float:
        """Return the distance of a case, (features,), divided by the limit; above one it is unusual."""
        deviations = [value - mean for value, mean in zip(row, self.mean, strict=True)]
        return hypot(*[sum(map(mul, direction, deviations)) for direction in self.whitening]) / self.limit


def parse_joint(entry: Mapping[str, Any]) -> JointLimit:
    """Parse the manifest's `joint`; raises ValueError, KeyError or TypeError."""
    count = len(TABLE.names)
    joint = JointLimit(
        quantile=read_number(entry["quantile"]),
        limit=read_number(entry["limit"]),
        mean=read_numbers(entry["mean"], count),
        whitening=[read_numbers(direction, count) for direction in entry["whitening"]],
    )
    if not 0 < joint.quantile < 1 or joint.limit <= 0 or not joint.whitening:
        raise ValueError("the joint limit has no quantile, no limit above zero, or no direction")
    return joint
