"""Confidence sequences hold the truth at all looks together, by simulation with fixed seeds."""

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

from lambda_app.monitor.sequences import Track, follow_bounded, follow_rare, follow_unbounded, guess_shares

RUNS = 1_000
LOOKS = 2_000
ERROR = 0.05
Vector = NDArray[np.float64]


def find_miss(track: Track, truth: float, first: int = 0) -> bool:
    """Return True if any interval from the look `first` on misses the truth."""
    misses = np.abs(track.means - truth) > track.reaches
    return bool(misses[first:].any())


def draw_coins(generator: np.random.Generator) -> Track:
    """The most that bounded differences can vary: each is at an end."""
    bounds = generator.uniform(0, 20, LOOKS)
    return follow_bounded(generator.choice([-1, 1], LOOKS) * bounds, bounds, 10.0, ERROR)


def draw_errors(generator: np.random.Generator) -> Track:
    """Two models that are equally far from outcomes with the errors of this table."""
    current, candidate = generator.normal(0, 10, (2, LOOKS))
    outcomes = generator.normal(0, 55, LOOKS)
    values = np.abs(candidate - outcomes) - np.abs(current - outcomes)
    return follow_bounded(values, np.abs(candidate - current), 10.0, ERROR)


def draw_hits(generator: np.random.Generator) -> Track:
    """Intervals of which one alone holds the truth in 2 % of the cases each."""
    values = generator.choice([-1.0, 0.0, 1.0], LOOKS, p=[0.02, 0.96, 0.02])
    return follow_rare(values, np.zeros(LOOKS), ERROR)


# A wrong scale costs width, and never validity.
@pytest.mark.parametrize("draw", [draw_coins, draw_errors, draw_hits])
def test_without_a_difference_few_runs_ever_find_one(draw: Callable[[np.random.Generator], Track]) -> None:
    generator = np.random.default_rng(1)
    found = sum(find_miss(draw(generator), 0.0) for _ in range(RUNS))
    assert found / RUNS <= ERROR


def test_a_bounded_sequence_is_about_as_narrow_as_it_may_be() -> None:
    generator = np.random.default_rng(2)
    track = draw_coins(generator)
    # A z-interval for this look alone reaches 1.96 standard errors.
    standard_error = 20 / np.sqrt(3) / np.sqrt(LOOKS)
    assert track.reaches[-1] < 3.3 * standard_error


def test_scale_that_is_ten_times_wrong_costs_some_width_and_no_validity() -> None:
    for scale in (1.0, 100.0):
        generator = np.random.default_rng(3)
        found = 0
        for _ in range(RUNS // 2):
            bounds = generator.uniform(0, 20, LOOKS)
            track = follow_bounded(generator.choice([-1, 1], LOOKS) * bounds, bounds, scale, ERROR)
            found += find_miss(track, 0.0)
        assert found / (RUNS // 2) <= ERROR
        assert track.reaches[-1] < 7 * 20 / np.sqrt(3) / np.sqrt(LOOKS)


@pytest.mark.parametrize("share", [0.5, 0.9, 0.99])
def test_shares_hold_at_all_looks(share: float) -> None:
    generator = np.random.default_rng(4)
    found = 0
    for _ in range(RUNS):
        hits = (generator.random(LOOKS) < share).astype(float)
        found += find_miss(follow_rare(hits, guess_shares(hits), ERROR), share)
    assert found / RUNS <= ERROR


def test_unbounded_errors_hold_from_fifty_on() -> None:
    generator = np.random.default_rng(5)
    truth = 55 * np.sqrt(2 / np.pi)
    found = sum(
        find_miss(follow_unbounded(np.abs(generator.normal(0, 55, LOOKS)), ERROR), truth, first=49) for _ in range(RUNS)
    )
    assert found / RUNS <= ERROR


def test_guess_of_a_share_knows_only_what_was_before() -> None:
    np.testing.assert_allclose(guess_shares(np.array([1.0, 1.0, 0.0])), [0.5, 0.75, 2.5 / 3])


def test_reach_is_foreseen() -> None:
    generator = np.random.default_rng(6)
    bounds = np.full(LOOKS, 10.0)
    values = generator.choice([-1, 1], LOOKS) * bounds
    part = follow_bounded(values[:500], bounds[:500], 10.0, ERROR)
    whole = follow_bounded(values, bounds, 10.0, ERROR)
    np.testing.assert_array_equal(part.reaches, whole.reaches[:500])
    assert part.foresee(LOOKS) == pytest.approx(whole.reaches[-1])
    none = follow_rare(np.zeros(500), np.zeros(500), ERROR)
    # No difference yet is no proof that there is none.
    assert none.foresee(5_000) > follow_rare(np.zeros(5_000), np.zeros(5_000), ERROR).reaches[-1]
