"""Prediction intervals: CV+ by hand, and widths that follow the case."""

import math
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lambda_app.model.interval import Fold, IntervalCalibration

# The scores are absolute residuals where the expected error is one everywhere.
ONE = [1.0]


def make_fold(*scores: float, coefficients: Sequence[float] = ONE) -> Fold:
    return Fold(100.0, 200.0, coefficients, scores)


# The folds' members say 100 and 104, so below are 99, 97 and 102, 94, and above 101, 103 and 106, 114.
@pytest.mark.parametrize(
    ("coverage", "lower", "upper"),
    [
        (0.5, 97, 106),  # ceil(0.5 * 5): the third of four from either end
        (0.6, 97, 106),
        (0.61, 94, 114),
        (0.8, 94, 114),
        (0.99, 94, 114),  # four scores have no fifth
    ],
)
def test_both_ends_have_the_rank_of_the_paper(coverage: float, lower: float, upper: float) -> None:
    calibration = IntervalCalibration(coverage, [make_fold(1, 3), make_fold(2, 10)])
    assert calibration.predict([100.0, 104.0]) == (lower, upper)


drawn_scores = st.lists(st.floats(0, 10), min_size=1, max_size=30)


@given(st.data(), st.floats(0.5, 0.99), st.lists(drawn_scores, min_size=1, max_size=8))
def test_ends_are_those_that_sorting_everything_finds(
    data: st.DataObject, coverage: float, scores: list[list[float]]
) -> None:
    folds = [make_fold(*some, coefficients=[data.draw(st.floats(0.01, 1)), 0.5]) for some in scores]
    means = [data.draw(st.floats(0, 400)) for _ in folds]
    count = sum(map(len, scores))
    rank = min(math.ceil(coverage * (count + 1)), count)
    margins = [
        (mean, fold.expect_error(mean) * score)
        for fold, mean in zip(folds, means, strict=True)
        for score in fold.scores
    ]
    lower = sorted((mean - margin for mean, margin in margins), reverse=True)[rank - 1]
    upper = sorted(mean + margin for mean, margin in margins)[rank - 1]
    assert IntervalCalibration(coverage, folds).predict(means) == (lower, upper)


def test_expected_error_is_held_at_its_ends() -> None:
    fold = make_fold(1, coefficients=[0.01, 0.0, 5.0])
    errors = [fold.expect_error(predicted) for predicted in (-1e6, 99.9, 100, 150, 200, 200.1, 1e6)]
    assert errors == pytest.approx([105, 105, 105, 230, 405, 405, 405])


def test_outside_each_fold_expects_its_largest_error_stretched() -> None:
    # Expected at 100 are 1, at 200 are 2; the parabola is largest in its middle, 25 at 150.
    rising, arched = make_fold(1, coefficients=[0.01, 0.0]), make_fold(1, coefficients=[-0.01, 3.0, -200.0])
    calibration = IntervalCalibration(0.9, [rising])
    assert calibration.predict_outside([100.0], 1) == pytest.approx((98, 102))
    assert calibration.predict_outside([100.0], 3) == pytest.approx((94, 106))
    assert IntervalCalibration(0.9, [arched]).predict_outside([100.0], 1) == pytest.approx((75, 125), abs=0.02)
