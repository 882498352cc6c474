"""Prediction intervals: CV+ by hand, widths that follow the case, and calibrations that are refused."""

import json
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from lambda_app.model.interval import Fold, IntervalCalibration, parse_calibration

FOLD = {"lowest": 50, "highest": 300, "coefficients": [0.1, 20], "scores": [0.5, 1.5]}
DOCUMENT = {"coverage": 0.9, "folds": [FOLD, FOLD]}

# The scores are absolute residuals where the expected error is one everywhere.
ONE = np.array([1.0])


def make_fold(*scores: float, coefficients: NDArray[np.float64] = ONE) -> Fold:
    return Fold(100.0, 200.0, coefficients, np.array(scores))


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
    assert calibration.predict(np.array([[100.0, 104.0]])).tolist() == [[lower, upper]]


def test_each_fold_counts_by_its_own_scores() -> None:
    calibration = IntervalCalibration(0.5, [make_fold(1), make_fold(2, 3, 4, 5)])
    # Below 99 and 102, 101, 100, 99; above 101 and 106, 107, 108, 109: the third of five.
    assert calibration.predict(np.array([[100.0, 104.0]])).tolist() == [[100, 107]]


def test_one_score_makes_the_interval_alone() -> None:
    assert IntervalCalibration(0.9, [make_fold(7)]).predict(np.array([[150.0]])).tolist() == [[143, 157]]


def test_patients_do_not_change_each_other() -> None:
    calibration = IntervalCalibration(0.6, [make_fold(1, 3), make_fold(2, 10)])
    patients = np.array([[100.0, 104.0], [160.0, 150.0], [-5.0, 400.0]])
    together = calibration.predict(patients)
    assert together.shape == (3, 2)
    assert together.tolist() == [calibration.predict(patient[np.newaxis])[0].tolist() for patient in patients]


def test_width_follows_the_expected_error() -> None:
    calibration = IntervalCalibration(0.9, [make_fold(1.5, coefficients=np.array([0.1, 0.0]))])
    lower, upper = calibration.predict(np.array([[100.0], [150.0], [200.0]])).T
    assert (upper - lower) / 2 == pytest.approx([15, 22.5, 30])
    assert (upper + lower) / 2 == pytest.approx([100, 150, 200])


def test_expected_error_is_held_at_its_ends() -> None:
    fold = make_fold(1, coefficients=np.array([0.01, 0.0, 5.0]))
    error = fold.expect_error(np.array([-1e6, 99.9, 100, 150, 200, 200.1, 1e6]))
    assert error == pytest.approx([105, 105, 105, 230, 405, 405, 405])


def test_calibration_is_read() -> None:
    calibration = parse_calibration(json.dumps(DOCUMENT).encode())
    assert calibration.coverage == 0.9
    assert [(fold.lowest, fold.highest) for fold in calibration.folds] == [(50, 300)] * 2
    # 0.1 * 100 + 20 = 30 is to be expected at 100, and the worst score is 1.5 of it.
    assert calibration.predict(np.array([[100.0, 100.0]]))[0] == pytest.approx([55, 145])


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
    ],
)
def test_what_is_no_calibration_is_refused(content: bytes) -> None:
    with pytest.raises((ValueError, KeyError, TypeError)):
        parse_calibration(content)


@pytest.mark.parametrize("coverage", [0, 0.49, 1, 90, float("nan")])
def test_coverage_that_makes_no_interval_is_refused(coverage: float) -> None:
    with pytest.raises(ValueError, match="coverage"):
        parse_calibration(json.dumps(DOCUMENT | {"coverage": coverage}).encode())


@pytest.mark.parametrize(
    "change",
    [
        {"lowest": 301},
        {"lowest": float("nan")},
        {"highest": float("inf")},
        {"highest": None},
        {"coefficients": []},
        {"coefficients": 3},
        {"coefficients": [[0.1, 20]]},
        {"coefficients": [float("nan")]},
        {"coefficients": [0]},
        {"coefficients": [-1]},
        {"coefficients": [1, -51]},  # below zero at the lower end
        {"coefficients": [0.01, -3.5, 296.25]},  # below zero about 175 alone
        {"scores": []},
        {"scores": [[0.5, 1.5]]},
        {"scores": 0.5},
        {"scores": ["wide"]},
        {"scores": [0.5, -0.1]},
        {"scores": [0.5, float("nan")]},
        {"scores": [0.5, None]},
    ],
)
def test_damaged_fold_is_refused(change: dict[str, Any]) -> None:
    with pytest.raises((ValueError, TypeError)):
        parse_calibration(json.dumps({"coverage": 0.9, "folds": [FOLD, FOLD | change]}).encode())
