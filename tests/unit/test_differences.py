"""The comparison of two versions: verdicts that hold at all looks, and when they come, by simulation."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from lambda_app.monitor.differences import (
    LEAST_STEP,
    LEAST_UNPAIRED,
    MOST_POINTS,
    Pairs,
    compare_coverages,
    compare_errors,
    compare_unpaired_coverages,
    compare_unpaired_errors,
)
from lambda_app.monitor.figures import LEAST_OUTCOMES, Evaluated

# An hour apart.
TIMES = [datetime(2026, 1, 1, tzinfo=UTC) + timedelta(hours=place) for place in range(20_000)]
Vector = NDArray[np.float64]
# The spread of the outcomes around the best prediction that there is, and half of an interval for 90 % of them.
SPREAD, HALF = 55.0, 90.0


def evaluate(predictions: Vector, values: Vector, half: float = HALF, hours: int = 1) -> Evaluated:
    times = TIMES[: hours * len(values) : hours]
    inside = np.ones(len(values), bool)
    return Evaluated(predictions, predictions - half, predictions + half, values, inside, times, times, 0.9)


def draw_pairs(generator: np.random.Generator, count: int, current: float, candidate: float) -> Pairs:
    """Pairs of models whose predictions are so far from the best one, on average squared."""
    values = generator.normal(150, SPREAD, count)
    predictions = [150 + generator.normal(0, spread, count) for spread in (current, candidate)]
    return Pairs(*(evaluate(one, values) for one in predictions))


def find_first(found: dict[str, Any]) -> int | None:
    """The outcomes after which the line first excludes zero."""
    return next((count for count, _, _, lower, upper in found["line"] if lower > 0 or upper < 0), None)


def test_without_a_difference_one_of_twenty_trials_ever_has_a_verdict() -> None:
    generator = np.random.default_rng(1)
    found = []
    for _ in range(300):
        pairs = draw_pairs(generator, 2_000, 15, 15)
        found.append([find_first(one) is not None for one in (compare_errors(pairs), compare_coverages(pairs)) if one])
    assert np.mean(found, axis=0).max() <= 0.05


@pytest.mark.parametrize(
    ("current", "limits"),
    # Errors that are larger by 2 %, 4 % and 12 %.
    [(12.0, (900, 1_800)), (17.0, (450, 900)), (30.0, (200, 400))],
)
def test_a_better_candidate_is_found_the_sooner_the_better_it_is(current: float, limits: tuple[int, int]) -> None:
    generator = np.random.default_rng(2)
    counts = []
    for _ in range(60):
        found = compare_errors(draw_pairs(generator, 20_000, current, 1.0))
        assert found is not None
        assert found["verdict"] != "worse"
        counts.append(find_first(found) or 20_001)
    assert limits[0] <= np.median(counts) <= limits[1]


def test_worse_is_the_opposite_of_better() -> None:
    pairs = draw_pairs(np.random.default_rng(3), 3_000, 30, 1)
    better, worse = compare_errors(pairs), compare_errors(Pairs(pairs.candidate, pairs.current))
    assert better is not None
    assert worse is not None
    assert (better["verdict"], worse["verdict"]) == ("better", "worse")
    assert better["difference"] == pytest.approx(-worse["difference"])
    assert (better["needed"], worse["needed"]) == (None, None)


def test_the_same_model_is_as_good() -> None:
    pairs = draw_pairs(np.random.default_rng(4), 2_000, 10, 10)
    same = Pairs(pairs.current, pairs.current)
    error, coverage = compare_errors(same), compare_coverages(same)
    assert error is not None
    assert coverage is not None
    assert (error["verdict"], coverage["verdict"]) == ("alike", "alike")
    assert error["difference"] == coverage["difference"] == 0


def test_narrow_intervals_hold_the_truth_less_often() -> None:
    pairs = draw_pairs(np.random.default_rng(5), 2_000, 1, 1)
    narrow = Pairs(pairs.current, evaluate(pairs.candidate.predictions, pairs.candidate.values, 60.0))
    found = compare_coverages(narrow)
    assert found is not None
    assert found["verdict"] == "lower"
    assert found["candidate"] - found["current"] == pytest.approx(found["difference"])


def test_forecast_is_when_a_verdict_comes() -> None:
    # With the same outcomes again and again, the difference stays as it is.
    pairs = draw_pairs(np.random.default_rng(6), 300, 12, 1)
    found = compare_errors(pairs)
    assert found is not None
    assert found["verdict"] == "unclear"
    needed = found["needed"]
    assert needed["kind"] == "seen"
    assert needed["difference"] == pytest.approx(abs(found["difference"]))
    for share, verdict in ((0.8, "unclear"), (1.2, "better")):
        places = np.resize(np.arange(300), round(share * needed["outcomes"] / 300) * 300)
        again = compare_errors(Pairs(pairs.current.take(places), pairs.candidate.take(places)))
        assert again is not None
        assert again["verdict"] == verdict


def test_without_a_difference_so_far_a_difference_of_some_size_is_sought() -> None:
    generator = np.random.default_rng(7)
    pairs = draw_pairs(generator, 200, 30, 30)
    mirrored = Pairs(
        pairs.current, evaluate(2 * pairs.current.values - pairs.current.predictions, pairs.current.values)
    )
    found = compare_errors(mirrored)
    assert found is not None
    assert found["difference"] == pytest.approx(0)
    assert found["needed"]["kind"] == "sought"
    assert found["needed"]["difference"] == pytest.approx(2.5 * found["tolerance"])
    places = np.resize(np.arange(200), 200 * 500)
    later = compare_errors(Pairs(mirrored.current.take(places), mirrored.candidate.take(places)))
    assert later is not None
    assert (later["verdict"], later["needed"]["kind"]) == ("unclear", "alike")


def compare_errors_of(groups: tuple[Evaluated, Evaluated]) -> dict[str, Any] | None:
    return compare_unpaired_errors(*groups)


def compare_coverages_of(groups: tuple[Evaluated, Evaluated]) -> dict[str, Any] | None:
    return compare_unpaired_coverages(*groups)


@pytest.mark.parametrize("compare", [compare_errors_of, compare_coverages_of])
def test_groups_without_a_difference_seldom_have_a_verdict(
    compare: Callable[[tuple[Evaluated, Evaluated]], dict[str, Any] | None],
) -> None:
    generator = np.random.default_rng(8)
    alarms = 0
    for _ in range(200):
        values = generator.normal(150, SPREAD, 2_200)
        groups = (
            evaluate(np.full(2_000, 150.0), values[:2_000]),
            evaluate(np.full(200, 150.0), values[2_000:], hours=10),
        )
        found = compare(groups)
        assert found is not None
        alarms += find_first(found) is not None
    assert alarms / 200 <= 0.05


def test_groups_with_a_large_difference_have_a_verdict() -> None:
    generator = np.random.default_rng(9)
    values = generator.normal(150, SPREAD, 4_000)
    current = evaluate(150 + generator.normal(0, 60, 3_000), values[:3_000])
    candidate = evaluate(np.full(1_000, 150.0), values[3_000:], hours=3)
    error, coverage = compare_unpaired_errors(current, candidate), compare_unpaired_coverages(current, candidate)
    assert error is not None
    assert coverage is not None
    assert (error["verdict"], coverage["verdict"]) == ("better", "higher")
    assert error["outcomes"] == coverage["outcomes"] == 4_000
    errors = [np.abs(one.predictions - one.values).mean() for one in (current, candidate)]
    assert (error["current"], error["candidate"]) == pytest.approx(tuple(errors))
    assert error["difference"] == pytest.approx(errors[1] - errors[0])


def test_few_outcomes_are_not_compared() -> None:
    generator = np.random.default_rng(10)
    few = draw_pairs(generator, LEAST_OUTCOMES - 1, 10, 10)
    assert compare_errors(few) is compare_coverages(few) is None
    enough, short = (evaluate(np.full(count, 150.0), np.full(count, 140.0)) for count in (200, LEAST_UNPAIRED - 1))
    assert compare_unpaired_errors(enough, short) is compare_unpaired_errors(short, enough) is None
    nothing = draw_pairs(generator, 0, 10, 10)
    assert compare_errors(nothing) is compare_coverages(nothing) is None


def test_outcome_without_measure_has_no_mean_error() -> None:
    pairs = draw_pairs(np.random.default_rng(11), 100, 10, 10)
    pairs.current.values[:2] = 1.7e308
    assert compare_errors(pairs) is None
    found = compare_coverages(pairs)
    assert found is not None
    assert found["current"] < 1


@pytest.mark.parametrize("absurd", [1e12, 1e150])
def test_one_absurd_outcome_makes_no_candidate_as_good(absurd: float) -> None:
    pairs = draw_pairs(np.random.default_rng(6), 100, 40, 40)
    honest = compare_errors(pairs)
    pairs.current.values[50] = pairs.candidate.values[50] = absurd
    found = compare_errors(pairs)
    unpaired = compare_unpaired_errors(pairs.current, pairs.candidate)
    assert honest is not None
    assert found is not None
    assert unpaired is not None
    assert (honest["verdict"], found["verdict"], unpaired["verdict"]) == ("unclear", "unclear", "unclear")
    assert found["tolerance"] == pytest.approx(honest["tolerance"], rel=0.1)


def test_line_tells_no_single_case() -> None:
    for count in (15, 500, 20_000):
        found = compare_errors(draw_pairs(np.random.default_rng(12), count, 10, 10))
        assert found is not None
        counts = [point[0] for point in found["line"]]
        assert counts[-1] == count
        assert counts[0] >= LEAST_OUTCOMES
        assert len(counts) <= MOST_POINTS + 1
        assert np.diff(counts, prepend=counts[0] - LEAST_STEP).min() >= LEAST_STEP
