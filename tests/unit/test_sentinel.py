"""The coverage sentinel: soon after a change, rarely without one, by simulation with fixed seeds."""

import numpy as np
import pytest
from numpy.typing import NDArray

from benchmarks.late_reports import find_late_alarms
from benchmarks.sentinel import find_first_alarms, measure_delays
from lambda_app.monitor.sentinel import CAP, ODDS_RATIOS, RELEASE, THRESHOLD, gather_evidence, watch_coverage

ALLOWED = 0.14


def draw(seed: int, *parts: tuple[int, float]) -> NDArray[np.bool_]:
    """Misses in the order of the parts, each of a number of outcomes at a rate."""
    generator = np.random.default_rng(seed)
    return np.concatenate([generator.random(count) < rate for count, rate in parts])


@pytest.mark.parametrize(("rate", "limit"), [(0.2, 320), (0.3, 75)])
def test_alarm_comes_soon_after_a_jump_of_the_miss_rate(rate: float, limit: int) -> None:
    delays = measure_delays(rate, runs=1000, seed=1)
    assert np.median(delays) <= limit


def test_false_alarms_are_ten_thousand_outcomes_apart() -> None:
    first, is_alarm = find_first_alarms(ALLOWED, runs=200, outcomes=60_000, seed=2)
    assert is_alarm.mean() > 0.95
    # Of runs with a constant hazard: outcomes by alarms. One standard error of it is 7 %.
    assert first.sum() / is_alarm.sum() >= THRESHOLD


def test_false_alarms_come_sooner_where_outcomes_are_reported_in_another_order() -> None:
    first, is_alarm = find_late_alarms(ALLOWED, late_days=20, runs=100, days=1000, seed=7)
    # docs/monitoring.md says 6,000. One standard error is 10 %.
    assert 4_000 < first.sum() / is_alarm.sum() < 8_500
    first, is_alarm = find_late_alarms(0.1, late_days=20, runs=100, days=500, seed=8)
    assert first.sum() >= 100_000 * is_alarm.sum()


def test_evidence_is_at_most_the_number_of_outcomes_on_average() -> None:
    generator = np.random.default_rng(3)
    # Not for long: later the mean is that of a few very large values.
    evidence = gather_evidence(generator.random((40, 50_000)) < ALLOWED, ALLOWED)
    np.testing.assert_allclose(evidence.mean(axis=1), np.arange(1, 41), rtol=0.1)


def test_evidence_is_the_mean_of_shiryaev_roberts_processes() -> None:
    misses = draw(4, (40, 0.3))
    odds = ALLOWED / (1 - ALLOWED) * np.array(ODDS_RATIOS)
    rates = odds / (1 + odds)
    # By definition: the sum over all starts of the likelihood ratio since.
    expected = [
        sum(
            np.prod([(rate / ALLOWED) if missed else (1 - rate) / (1 - ALLOWED) for missed in misses[start:end]])
            for rate in rates
            for start in range(end)
        )
        / len(rates)
        for end in range(1, 41)
    ]
    np.testing.assert_allclose(watch_coverage(misses, ALLOWED).evidence, expected)


def test_a_problem_gives_one_alarm_that_ends_after_the_recovery() -> None:
    misses = draw(5, (1000, 0.1), (600, 0.3), (1000, 0.1), (600, 0.3))
    watch = watch_coverage(misses, ALLOWED)
    assert len(watch.alarms) == 2
    first, second = watch.alarms
    assert 1000 < first < 1200
    assert 2600 < second < 2800
    assert watch.is_alarm
    assert not watch_coverage(misses[:2600], ALLOWED).is_alarm
    assert watch.evidence[first] >= THRESHOLD > watch.evidence[first - 1]
    assert watch.evidence.max() <= CAP * THRESHOLD * len(ODDS_RATIOS)
    recovered = np.flatnonzero(watch.evidence[1600:2600] < RELEASE * THRESHOLD)[0]
    assert recovered < 500


def test_evidence_of_a_part_is_that_of_the_whole_so_far() -> None:
    misses = draw(6, (500, 0.1), (500, 0.25))
    whole = watch_coverage(misses, ALLOWED).evidence
    np.testing.assert_array_equal(watch_coverage(misses[:700], ALLOWED).evidence, whole[:700])


def test_no_outcome_is_no_alarm() -> None:
    watch = watch_coverage(np.zeros(0, bool), ALLOWED)
    assert (len(watch.evidence), watch.alarms, watch.is_alarm) == (0, [], False)
