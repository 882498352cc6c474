"""The stand-in for CloudWatch decides as CloudWatch's documentation says."""

import pytest

from tests.standins.cloudwatch import decide_state, evaluate_expression, find_percentile

POINTS = {"-": None, "0": False, "X": True}


# The two tables of "Configuring how CloudWatch alarms treat missing data", for an alarm that takes missing points for
# not breaching.
@pytest.mark.parametrize(
    ("points", "needed", "state"),
    [
        ("0 - X - X", 3, "OK"),
        ("0 - - - -", 3, "OK"),
        ("- - - - -", 3, "OK"),
        ("0 X X - X", 3, "ALARM"),
        ("- - X - -", 3, "OK"),
        ("0 - X - X", 2, "ALARM"),
        ("0 0 X 0 X", 2, "ALARM"),
        ("0 - X - -", 2, "OK"),
        ("- - - - 0", 2, "OK"),
        ("- - - X -", 2, "OK"),
    ],
)
def test_missing_points(points: str, needed: int, state: str) -> None:
    assert decide_state([POINTS[point] for point in points.split()], periods=3, needed=needed) == state


def test_a_breach_that_is_over_counts_no_more_when_newer_points_are_good() -> None:
    assert decide_state([True, False], periods=1, needed=1) == "OK"
    assert decide_state([True, None], periods=1, needed=1) == "ALARM"
    assert decide_state([False, None, None], periods=2, needed=2, missing_breaches=True) == "OK"
    assert decide_state([None, None, None], periods=2, needed=2, missing_breaches=True) == "ALARM"


def test_expressions() -> None:
    share = "FILL(errors, 0) / requests"
    assert evaluate_expression(share, {"errors": 1.0, "requests": 4.0}) == 0.25
    assert evaluate_expression(share, {"errors": None, "requests": 4.0}) == 0
    assert evaluate_expression(share, {"errors": 1.0, "requests": None}) is None
    assert evaluate_expression(share, {"errors": 0.0, "requests": 0.0}) is None
    of_enough = "IF(requests >= 4, errors / requests, 0)"
    assert evaluate_expression(of_enough, {"errors": 1.0, "requests": 4.0}) == 0.25
    assert evaluate_expression(of_enough, {"errors": 1.0, "requests": 3.0}) == 0
    assert evaluate_expression(of_enough, {"errors": None, "requests": 4.0}) is None


def test_percentiles() -> None:
    assert find_percentile(range(1, 101), 0.99) == 99
    assert find_percentile([1, 2], 0.5) == 1
    assert find_percentile([7], 0.99) == 7
    assert find_percentile([], 0.99) is None
