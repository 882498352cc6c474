"""The joint limit of a training, for this table and for degenerate ones."""

import numpy as np
import pytest
from numpy.typing import NDArray

from lambda_app.model.joint import JointLimit
from training.data import Rows, hold_out
from training.joint import QUANTILE, measure_joint


def measure_all(joint: JointLimit, features: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.array([joint.measure_distance(row) for row in features.tolist()])


def draw_table(count: int = 500) -> NDArray[np.float64]:
    """Draw three columns of very different size. The second depends on the first."""
    generator = np.random.default_rng(3)
    first, noise, third = generator.normal(size=(3, count))
    return np.column_stack([1e-3 * first, 1e4 * (first + 0.1 * noise) + 5e4, third])


def test_it_is_the_mahalanobis_distance_of_the_rows(rows: Rows) -> None:
    joint = measure_joint(rows)
    deviations = rows.features - rows.features.mean(axis=0)
    inverse = np.linalg.inv(np.cov(rows.features.T, bias=True))
    expected = np.sqrt(np.einsum("ij,jk,ik->i", deviations, inverse, deviations))
    np.testing.assert_allclose(measure_all(joint, rows.features) * joint.limit, expected, rtol=1e-9)
    assert joint.quantile == QUANTILE
    assert joint.limit == pytest.approx(np.quantile(expected, QUANTILE))


def test_as_many_held_out_patients_are_beyond_it_as_the_quantile_says(rows: Rows) -> None:
    beyond = sum(
        int((measure_all(measure_joint(rows.take(training)), rows.features[held_out]) > 1).sum())
        for training, held_out in hold_out(rows)
    )
    # 1 % of 442 is 4.4; the limit knows its own rows, so a few more.
    assert 3 <= beyond <= 9


def test_a_row_with_an_unusual_combination_is_beyond_it() -> None:
    # Each column is within its range.
    table = draw_table()
    joint = measure_joint(Rows(table, np.zeros(len(table))))
    alike = [1e-3, 1e4 + 5e4, 0.0]
    assert joint.measure_distance(alike) < 1 < joint.measure_distance([1e-3, -1e4 + 5e4, 0.0])


def test_a_column_that_follows_from_others_is_held_to_it() -> None:
    table = draw_table()
    summed = np.column_stack([table, table[:, 0] * 1e3 + table[:, 2]])
    joint = measure_joint(Rows(summed, np.zeros(len(summed))))
    row = summed[0]
    assert joint.measure_distance(row) < 1
    # Off by a tenth of the sum's standard deviation, where no row is off at all.
    assert joint.measure_distance([*row[:3], row[3] + 0.1 * summed[:, 3].std()]) > 1
    # By a thousandth, as by rounding.
    assert joint.measure_distance([*row[:3], row[3] + 0.001 * summed[:, 3].std()]) < 1


def test_a_column_that_is_the_same_for_all_changes_nothing() -> None:
    table = draw_table()
    constant = np.column_stack([table, np.full(len(table), 42.0)])
    with_it, without = (measure_joint(Rows(features, np.zeros(len(table)))) for features in (constant, table))
    np.testing.assert_allclose(measure_all(with_it, constant), measure_all(without, table), rtol=1e-9)
    # Its range, of one value, tells who has another.
    row = constant[0].tolist()
    assert with_it.measure_distance([*row[:3], 43.0]) == pytest.approx(with_it.measure_distance(row))
