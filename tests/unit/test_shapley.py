"""Exact Shapley values: what they are for functions whose values are known, and what holds for every function."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from lambda_app.model.shapley import explain_prediction

Vector = NDArray[np.float64]

MEAN = np.array([1.0, 2.0, 3.0, 4.0])
numbers = st.floats(-100, 100)
patients = st.lists(numbers, min_size=4, max_size=4).map(np.array)


@given(patients, patients, numbers)
def test_a_linear_function_is_split_by_its_terms(patient: Vector, slopes: Vector, offset: float) -> None:
    base_value, contributions = explain_prediction(lambda rows: rows @ slopes + offset, patient, MEAN)
    assert base_value == pytest.approx(MEAN @ slopes + offset)
    np.testing.assert_allclose(contributions, slopes * (patient - MEAN), rtol=0, atol=1e-8)


def test_a_product_is_shared_by_its_factors_as_they_joined() -> None:
    # From 1·2 to 5·7: first the one factor moves and then the other, or the other way round.
    _, contributions = explain_prediction(lambda rows: rows[:, 0] * rows[:, 1], np.array([5.0, 7.0, 0, 0]), MEAN)
    first = ((5 - 1) * 2 + (5 - 1) * 7) / 2
    second = ((7 - 2) * 1 + (7 - 2) * 5) / 2
    np.testing.assert_allclose(contributions, [first, second, 0, 0], atol=1e-12)


def bend(rows: Vector) -> Vector:
    """Something with interactions of every order."""
    return np.asarray(np.tanh(rows @ [0.01, 0.02, -0.03, 0.01]) * 100 + rows.prod(axis=1) * 1e-6)


@given(patients, st.sets(st.integers(0, 3)))
def test_sums_to_the_prediction_and_gives_nothing_to_what_is_at_its_mean(patient: Vector, at_mean: set[int]) -> None:
    for position in at_mean:
        patient[position] = MEAN[position]
    base_value, contributions = explain_prediction(bend, patient, MEAN)
    assert base_value == pytest.approx(bend(MEAN[np.newaxis])[0])
    assert base_value + contributions.sum() == pytest.approx(bend(patient[np.newaxis])[0], abs=1e-9)
    np.testing.assert_allclose(contributions[list(at_mean)], 0, atol=1e-12)


@given(patients)
def test_measurements_are_treated_alike_in_any_order(patient: Vector) -> None:
    turned = [2, 0, 3, 1]
    _, contributions = explain_prediction(bend, patient, MEAN)
    _, of_turned = explain_prediction(lambda rows: bend(rows[:, np.argsort(turned)]), patient[turned], MEAN[turned])
    np.testing.assert_allclose(of_turned, contributions[turned], atol=1e-9)
