"""Prediction intervals: CV+ by hand, widths that follow the case, and calibrations that are refused."""

import json
import math
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lambda_app.model.interval import Fold, IntervalCalibration, parse_calibration

FOLD = {"lowest": 50, "highest": 300, "coefficients": [0.1, 20], "scores": [0.5, 1.5]}
DOCUMENT = {"coverage": 0.9, "folds": [FOLD, FOLD]}

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


def test_each_fold_counts_by_its_own_scores() -> None:
    calibration = IntervalCalibration(0.5, [make_fold(1), make_fold(2, 3, 4, 5)])
    # Below 99 and 102, 101, 100, 99; above 101 and 106, 107, 108, 109: the third of five.
    assert calibration.predict([100.0, 104.0]) == (100, 107)


def test_one_score_makes_the_interval_alone() -> None:
    assert IntervalCalibration(0.9, [make_fold(7)]).predict([150.0]) == (143, 157)


def test_a_fold_too_many_or_too_few_is_refused() -> None:
    for fold_means in ([150.0], [150.0, 150.0, 150.0]):
        with pytest.raises(ValueError, match="zip"):
            IntervalCalibration(0.9, [make_fold(7), make_fold(7)]).predict(fold_means)


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


def test_width_follows_the_expected_error() -> None:
    calibration = IntervalCalibration(0.9, [make_fold(1.5, coefficients=[0.1, 0.0])])
    for mean, half_width in ((100.0, 15), (150.0, 22.5), (200.0, 30)):
        assert calibration.predict([mean]) == pytest.approx((mean - half_width, mean + half_width))


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


@given(st.lists(st.floats(-100, 400), min_size=2, max_size=2), st.floats(1, 10))
def test_outside_is_as_wide_as_inside_and_wider_by_the_stretch(means: list[float], stretch: float) -> None:
    arched = Fold(100.0, 200.0, [-0.01, 3.0, -200.0], [0.5, 1.0, 2.0])
    calibration = IntervalCalibration(0.6, [make_fold(1, 3, coefficients=[0.1, 0.5]), arched])
    inside, outside = calibration.predict(means), calibration.predict_outside(means, 1)
    further = calibration.predict_outside(means, stretch)
    # The largest error is looked for at fifty points.
    assert further[0] <= outside[0] <= inside[0] + 0.05
    assert further[1] >= outside[1] >= inside[1] - 0.05


def test_calibration_is_read() -> None:
    calibration = parse_calibration(json.dumps(DOCUMENT).encode())
    assert calibration.coverage == 0.9
    assert [(fold.lowest, fold.highest) for fold in calibration.folds] == [(50, 300)] * 2
    # 0.1 * 100 + 20 = 30 is to be expected at 100, and the worst score is 1.5 of it.
    assert calibration.predict([100.0, 100.0]) == pytest.approx((55, 145))


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\xff",
        b"null",
        b"[]",
        b"{}",
        b'{"coverage": 0.9}',
        b'{"coverage": 0.9, "folds": null}',
        b'{"coverage": 0.9, "folds": [1]}',
        b'{"coverage": null, "folds": []}',
        b'{"coverage": "most", "folds": []}',
        b"[" * 100_000,
    ],
)
def test_what_is_no_calibration_is_refused(content: bytes) -> None:
    with pytest.raises(ValueError, match=r"interval\.json is not a calibration: "):
        parse_calibration(content)


@pytest.mark.parametrize("coverage", [0, 0.49, 1, 90, "0.9", True, None, float("nan")])
def test_coverage_that_makes_no_interval_is_refused(coverage: Any) -> None:
    with pytest.raises(ValueError, match=r"the coverage .* is not|a number is"):
        parse_calibration(json.dumps(DOCUMENT | {"coverage": coverage}).encode())


@pytest.mark.parametrize(
    "change",
    [
        {"lowest": 301},
        {"lowest": float("nan")},
        {"highest": float("inf")},
        {"highest": None},
        {"highest": "300"},
        {"lowest": True},
        {"lowest": -(10**400)},
        {"coefficients": []},
        {"coefficients": 3},
        {"coefficients": [[0.1, 20]]},
        {"coefficients": [float("nan")]},
        {"coefficients": [0]},
        {"coefficients": [-1]},
        {"coefficients": [1, -51]},  # below zero at the lower end
        {"coefficients": [0.01, -3.5, 296.25]},  # below zero about 175 alone
        {"coefficients": ["0.1", 20]},
        {"coefficients": [1e308, 1e308]},
        {"scores": []},
        {"scores": [[0.5, 1.5]]},
        {"scores": 0.5},
        {"scores": ["wide"]},
        {"scores": ["0.5"]},
        {"scores": [0.5, -0.1]},
        {"scores": [0.5, float("nan")]},
        {"scores": [0.5, None]},
    ],
)
def test_damaged_fold_is_refused(change: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"interval\.json is not a calibration: "):
        parse_calibration(json.dumps({"coverage": 0.9, "folds": [FOLD, FOLD | change]}).encode())
