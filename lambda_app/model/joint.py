"""How unlike the training's cases another one is, by all features together: the Mahalanobis distance.

A case can be within the range of every feature and still be like no other: features hang together.
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
    """Up to which distance from the training's mean a case is like its cases.

    `whitening`, (directions, features), maps the deviation from `mean`, (features,), to directions that in training
    have a variance of one and nothing to do with each other; how long the result is, is the distance. The share
    `quantile` of the training's cases is within `limit`.
    """

    quantile: float
    limit: float
    mean: Sequence[float]
    whitening: Sequence[Sequence[float]]

    def measure_distance(self, row: Sequence[float]) -> float:
        """The distance of a case, (features,), in units of the limit: unlike the training's above one."""
        deviations = [value - mean for value, mean in zip(row, self.mean, strict=True)]
        return hypot(*[sum(map(mul, direction, deviations)) for direction in self.whitening]) / self.limit


def parse_joint(entry: Mapping[str, Any]) -> JointLimit:
    """Read the manifest's `joint`; ValueError, KeyError or TypeError when it is not one."""
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
