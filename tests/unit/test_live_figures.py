"""The live figures: the intervals hold the true figure as often as they say."""

from datetime import UTC, datetime

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import stats

from lambda_app.monitor.figures import (
    Evaluated,
    describe_figures,
    estimate_mean,
    estimate_r2,
    estimate_rmse,
    estimate_share,
)

REPETITIONS = 400
Vector = NDArray[np.float64]


def make_evaluated(predictions: Vector, values: Vector) -> Evaluated:
    times = [datetime(2026, 1, 1, tzinfo=UTC)] * len(values)
    inside = np.ones(len(values), bool)
    return Evaluated(predictions, predictions - 50, predictions + 50, values, inside, times, times, 0.9)


@pytest.mark.parametrize("count", [50, 400])
def test_intervals_hold_the_truth_in_95_of_100_samples(count: int) -> None:
    truths = {
        "mae": stats.foldnorm(10 / 40, scale=40).mean(),
        "rmse": np.sqrt(10**2 + 40**2),
        "bias": 10.0,
        "r2": 1 - (10**2 + 40**2) / 80**2,
        "coverage": stats.norm.cdf(40 / 40) - stats.norm.cdf(-60 / 40),
    }
    generator = np.random.default_rng(0)
    hits = dict.fromkeys(truths, 0)
    for _ in range(REPETITIONS):
        values = generator.normal(150, 80, count)
        found = describe_figures(make_evaluated(values + generator.normal(10, 40, count), values))
        assert found is not None
        for name, truth in truths.items():
            hits[name] += found[name]["lower"] <= truth <= found[name]["upper"]
    # Three standard errors of the simulation are 3.3 %; Clopper and Pearson's interval holds more often.
    for share in hits.values():
        assert 0.91 <= share / REPETITIONS <= 0.99


def test_intervals_agree_with_the_bootstrap() -> None:
    generator = np.random.default_rng(1)
    values = generator.normal(150, 80, 300)
    errors = generator.standard_t(6, 300) * 30

    def bootstrap(figure: object, *samples: Vector) -> list[float]:
        drawn = stats.bootstrap(samples, figure, paired=True, method="percentile", rng=2, n_resamples=4000)
        return list(drawn.confidence_interval)

    def find_rmse(sample: Vector, axis: int) -> Vector:
        root: Vector = np.sqrt((sample**2).mean(axis=axis))
        return root

    def find_r2(sample: Vector, truth: Vector, axis: int) -> Vector:
        share: Vector = 1 - (sample**2).mean(axis=axis) / truth.var(axis=axis)
        return share

    for estimate, expected in (
        (estimate_rmse(errors), bootstrap(find_rmse, errors)),
        (estimate_r2(errors, values), bootstrap(find_r2, errors, values)),
        (estimate_mean(errors), bootstrap(np.mean, errors)),
    ):
        reach = expected[1] - expected[0]
        assert [estimate["lower"], estimate["upper"]] == pytest.approx(expected, abs=0.15 * reach)


def test_what_is_undefined_is_null() -> None:
    undefined = {"value": None, "lower": None, "upper": None}
    assert estimate_share(0, 0) == undefined
    assert estimate_mean(np.zeros(0)) == undefined
    assert estimate_mean(np.ones(1)) == {"value": 1, "lower": None, "upper": None}
    assert estimate_r2(np.zeros(5), np.full(5, 3.0)) == undefined
    # Without the third row all values are the same.
    assert estimate_r2(np.zeros(3), np.array([1.0, 1.0, 2.0])) == undefined
    assert estimate_rmse(np.zeros(5)) == {"value": 0, "lower": 0, "upper": 0}
    assert describe_figures(make_evaluated(np.zeros(9), np.zeros(9))) is None


def test_share_is_by_clopper_and_pearson() -> None:
    found = estimate_share(45, 50)
    assert found["value"] == 0.9
    assert found["lower"] == pytest.approx(stats.beta.ppf(0.025, 45, 6))
    assert found["upper"] == pytest.approx(stats.beta.ppf(0.975, 46, 5))
