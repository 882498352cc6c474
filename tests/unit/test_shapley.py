"""Shapley values: what they are for functions whose values are known, and what holds for every function."""

import math
from collections.abc import Callable, Sequence
from random import Random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lambda_app.model.shapley import (
    ESTIMATE_ROWS,
    MAX_EXACT_FEATURES,
    Attribution,
    Predict,
    compute_contributions,
    estimate_contributions,
    explain_prediction,
)

MEAN = [1.0, 2.0, 3.0, 4.0]
numbers = st.floats(-100, 100)
cases = st.lists(numbers, min_size=4, max_size=4)


@given(cases, cases, numbers)
def test_a_linear_function_is_split_by_its_terms(case: list[float], slopes: list[float], offset: float) -> None:
    found = explain_prediction(lambda rows: [np.dot(row, slopes) + offset for row in rows], case, MEAN)
    assert found.base_value == pytest.approx(np.dot(MEAN, slopes) + offset)
    np.testing.assert_allclose(found.contributions, np.multiply(slopes, np.subtract(case, MEAN)), rtol=0, atol=1e-8)
    assert found.standard_errors is None


def bend(rows: Sequence[Sequence[float]]) -> list[float]:
    """Something with interactions of every order."""
    return [math.tanh(0.01 * a + 0.02 * b - 0.03 * c + 0.01 * d) * 100 + a * b * c * d * 1e-6 for a, b, c, d in rows]


@pytest.mark.parametrize("explain", [compute_contributions, estimate_contributions])
@settings(max_examples=25, deadline=None)
@given(case=cases, at_mean=st.sets(st.integers(0, 3)))
def test_sums_to_the_prediction_and_gives_nothing_to_what_is_at_its_mean(
    explain: Callable[..., Attribution], case: list[float], at_mean: set[int]
) -> None:
    for position in at_mean:
        case[position] = MEAN[position]
    found = explain(bend, case, MEAN)
    assert [found.base_value] == pytest.approx(bend([MEAN]))
    assert [found.base_value + sum(found.contributions)] == pytest.approx(bend([case]), abs=1e-9)
    assert [found.contributions[position] for position in at_mean] == pytest.approx([0] * len(at_mean), abs=1e-12)


def make_function(count: int, seed: int) -> tuple[Predict, list[float], list[float]]:
    """A random network with interactions of every order, a case and a mean."""
    random = np.random.default_rng(seed)
    first, second = random.normal(size=(count, 8)), random.normal(size=8)

    def predict(rows: Sequence[Sequence[float]]) -> list[float]:
        values: list[float] = (100 * np.tanh(np.asarray(rows) @ first) @ second).tolist()
        return values

    return predict, random.normal(size=count).tolist(), random.normal(size=count).tolist()


@pytest.mark.parametrize("seed", range(20))
def test_estimate_is_as_near_to_the_exact_values_as_its_standard_errors_say(seed: int) -> None:
    predict, case, mean = make_function(10, seed)
    exact, estimate = compute_contributions(predict, case, mean), estimate_contributions(predict, case, mean)
    assert exact.standard_errors is None
    assert estimate.standard_errors is not None
    assert estimate.base_value == pytest.approx(exact.base_value)
    assert estimate.base_value + sum(estimate.contributions) == pytest.approx(predict([case])[0], abs=1e-9)
    off = np.subtract(estimate.contributions, exact.contributions)
    errors = np.array(estimate.standard_errors)
    assert np.all(errors > 0)
    assert np.all(np.abs(off) <= 5 * errors)
    # They claim no more than they must, either: of ten features some are off by more than a tenth of theirs.
    assert np.any(np.abs(off) > 0.1 * errors)
    assert np.all(errors < 0.1 * np.abs(exact.contributions).sum())


@pytest.mark.parametrize(("count", "is_exact"), [(1, True), (MAX_EXACT_FEATURES, True), (13, False), (60, False)])
def test_values_are_exact_for_as_many_features_as_can_be(count: int, is_exact: bool) -> None:
    predict, case, mean = make_function(count, seed=count)
    asked: list[int] = []

    def count_rows(rows: Sequence[Sequence[float]]) -> Sequence[float]:
        asked.append(len(rows))
        return predict(rows)

    found = explain_prediction(count_rows, case, mean)
    assert (found.standard_errors is None) == is_exact
    assert found.base_value + sum(found.contributions) == pytest.approx(predict([case])[0], abs=1e-9)
    assert len(asked) == 1
    assert asked[0] <= ESTIMATE_ROWS + 2


def test_the_same_case_gets_the_same_estimate_whatever_was_drawn_before() -> None:
    predict, case, mean = make_function(15, seed=1)
    first = explain_prediction(predict, case, mean)
    Random(5).random()
    assert explain_prediction(predict, list(case), mean) == first
    other = explain_prediction(predict, [*case[:-1], case[-1] + 1e-9], mean)
    assert other.contributions != pytest.approx(first.contributions, rel=1e-7)
