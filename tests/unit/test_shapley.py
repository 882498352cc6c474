"""Exact Shapley values: what they are for functions whose values are known, and what holds for every function."""

import math
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lambda_app.model.shapley import explain_prediction

MEAN = [1.0, 2.0, 3.0, 4.0]
numbers = st.floats(-100, 100)
patients = st.lists(numbers, min_size=4, max_size=4)


@given(patients, patients, numbers)
def test_a_linear_function_is_split_by_its_terms(patient: list[float], slopes: list[float], offset: float) -> None:
    base_value, contributions = explain_prediction(
        lambda rows: [np.dot(row, slopes) + offset for row in rows], patient, MEAN
    )
    assert base_value == pytest.approx(np.dot(MEAN, slopes) + offset)
    np.testing.assert_allclose(contributions, np.multiply(slopes, np.subtract(patient, MEAN)), rtol=0, atol=1e-8)


def test_a_product_is_shared_by_its_factors_as_they_joined() -> None:
    # From 1·2 to 5·7: first the one factor moves and then the other, or the other way round.
    _, contributions = explain_prediction(lambda rows: [row[0] * row[1] for row in rows], [5.0, 7.0, 0, 0], MEAN)
    first = ((5 - 1) * 2 + (5 - 1) * 7) / 2
    second = ((7 - 2) * 1 + (7 - 2) * 5) / 2
    np.testing.assert_allclose(contributions, [first, second, 0, 0], atol=1e-12)


def bend(rows: Sequence[Sequence[float]]) -> list[float]:
    """Something with interactions of every order."""
    return [math.tanh(0.01 * a + 0.02 * b - 0.03 * c + 0.01 * d) * 100 + a * b * c * d * 1e-6 for a, b, c, d in rows]


@given(patients, st.sets(st.integers(0, 3)))
def test_sums_to_the_prediction_and_gives_nothing_to_what_is_at_its_mean(
    patient: list[float], at_mean: set[int]
) -> None:
    for position in at_mean:
        patient[position] = MEAN[position]
    base_value, contributions = explain_prediction(bend, patient, MEAN)
    assert [base_value] == pytest.approx(bend([MEAN]))
    assert [base_value + sum(contributions)] == pytest.approx(bend([patient]), abs=1e-9)
    assert [contributions[position] for position in at_mean] == pytest.approx([0] * len(at_mean), abs=1e-12)


@given(patients)
def test_measurements_are_treated_alike_in_any_order(patient: list[float]) -> None:
    turned = [2, 0, 3, 1]

    def turn(numbers: list[float]) -> list[float]:
        return [numbers[position] for position in turned]

    def bend_turned(rows: Sequence[Sequence[float]]) -> list[float]:
        return bend([[row[turned.index(position)] for position in range(4)] for row in rows])

    _, contributions = explain_prediction(bend, patient, MEAN)
    _, of_turned = explain_prediction(bend_turned, turn(patient), turn(MEAN))
    assert of_turned == pytest.approx(turn(contributions), abs=1e-9)
