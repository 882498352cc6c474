"""The joint distance: by hand, and refused when the manifest's part is damaged."""

import json
from typing import Any

import pytest

from lambda_app.model.joint import JointLimit, parse_joint
from problem.table import TABLE

COUNT = len(TABLE.names)
ENTRY: dict[str, Any] = {
    "quantile": 0.99,
    "limit": 5,
    "mean": [100] * COUNT,
    "whitening": [[0.5, *[0] * (COUNT - 1)], [0, 2, *[0] * (COUNT - 2)]],
}


def test_the_distance_is_that_of_the_whitened_deviation_in_units_of_the_limit() -> None:
    joint = parse_joint(ENTRY)
    assert joint.measure_distance([100.0] * COUNT) == 0
    # 6 * 0.5 = 3 in one direction and -2 * 2 = -4 in the other: 5, which is the limit. The others count for nothing.
    assert joint.measure_distance([106.0, 98.0, *[7.0] * (COUNT - 2)]) == 1
    assert joint.measure_distance([112.0, 96.0, *[7.0] * (COUNT - 2)]) == 2


def test_correlated_measurements_count_together() -> None:
    # Of variance one and a correlation of 0.8: whitened by the inverse of the covariance's Cholesky factor.
    joint = JointLimit(0.99, 1.0, [0.0, 0.0], [[1.0, 0.0], [-0.8 / 0.6, 1 / 0.6]])
    assert joint.measure_distance([1.0, 1.0]) ** 2 == pytest.approx(2 / 1.8)
    assert joint.measure_distance([1.0, -1.0]) ** 2 == pytest.approx(2 / 0.2)


@pytest.mark.parametrize(
    "change",
    [
        {"quantile": 0},
        {"quantile": 1},
        {"quantile": "0.99"},
        {"limit": 0},
        {"limit": -5},
        {"limit": float("nan")},
        {"mean": [100] * (COUNT - 1)},
        {"mean": None},
        {"mean": ["100"] * COUNT},
        {"whitening": []},
        {"whitening": None},
        {"whitening": [1]},
        {"whitening": [[1] * (COUNT + 1)]},
        {"whitening": [[float("inf")] * COUNT]},
    ],
)
def test_a_damaged_limit_is_refused(change: dict[str, Any]) -> None:
    with pytest.raises((ValueError, TypeError)):
        parse_joint(json.loads(json.dumps(ENTRY | change)))


@pytest.mark.parametrize("name", ENTRY)
def test_a_limit_that_lacks_a_part_is_refused(name: str) -> None:
    with pytest.raises(KeyError, match=name):
        parse_joint({key: value for key, value in ENTRY.items() if key != name})
