"""The drift test: SciPy's own statistic, Holm's steps, effect sizes that do not depend on the sizes of the samples."""

import numpy as np
import pytest
from scipy import stats

from benchmarks.drift import count_false_alarms, measure_power
from lambda_app.monitor.drift import (
    LEAST_V,
    adjust_holm,
    compare_columns,
    find_alpha,
    find_p,
    join_bins,
    judge,
    measure_psi,
    measure_v,
)
from lambda_app.monitor.reference import Reference

EVEN = np.full(10, 44)


def test_p_is_that_of_the_contingency_table() -> None:
    generator = np.random.default_rng(0)
    for cases in (100, 2000):
        for bins in (2, 5, 10):
            before = generator.integers(20, 60, bins)
            windows = generator.multinomial(cases, np.full(bins, 1 / bins), size=5)
            expected = [stats.chi2_contingency([before, window], correction=False).pvalue for window in windows]
            np.testing.assert_allclose(find_p(before, windows), expected)


def test_cramers_v_is_that_of_samples_of_one_size() -> None:
    before, now = np.array([50, 30, 20]), np.array([20, 30, 50])
    expected = stats.contingency.association(np.array([before, now]), method="cramer")
    assert measure_v(before, now) == pytest.approx(expected)
    assert measure_v(before, 100 * now) == pytest.approx(expected)
    assert measure_v(before, before) == 0
    assert measure_v(np.array([9, 0]), np.array([0, 5])) == 1


def test_a_shift_of_a_fifth_of_a_standard_deviation_is_about_the_least_effect() -> None:
    edges = stats.norm.ppf(np.arange(1, 10) / 10)
    shifted = np.diff([0, *stats.norm.cdf(edges - 0.2), 1])
    assert measure_v(np.full(10, 0.1), shifted) == pytest.approx(LEAST_V["feature"], rel=0.06)


def test_psi_is_by_its_definition_and_finite_for_empty_bins() -> None:
    before, now = np.array([5000, 3000, 2000]), np.array([2000, 3000, 5000])
    first, second = before / 10_000, now / 10_000
    assert measure_psi(before, now) == pytest.approx(((second - first) * np.log(second / first)).sum(), rel=1e-3)
    assert 0 < measure_psi(np.array([10, 0]), np.array([0, 10])) < 10


def test_holm_multiplies_the_smallest_most_and_keeps_the_order() -> None:
    np.testing.assert_allclose(adjust_holm(np.array([0.01, 0.04, 0.03, 0.005])), [0.03, 0.06, 0.06, 0.02])
    np.testing.assert_allclose(adjust_holm(np.array([[0.9, 0.8], [0.01, 0.2]])), np.array([[1, 1], [0.02, 0.2]]))


def test_bins_with_few_expected_cases_are_joined_with_their_neighbours() -> None:
    before, now = join_bins(np.array([40, 2, 1, 30, 3]), np.array([1, 2, 3, 4, 5]))
    assert (before.tolist(), now.tolist()) == ([40, 36], [1, 14])
    before, now = join_bins(np.array([2, 1, 40, 30]), np.array([100, 100, 100, 100]))
    assert (before.tolist(), now.tolist()) == ([43, 30], [300, 100])
    # A window of a tenth of the reference: 50 of the reference for 5 of the window.
    before, now = join_bins(np.full(10, 44), np.full(10, 4))
    assert (before.tolist(), now.tolist()) == ([88] * 5, [8] * 5)
    before, now = join_bins(np.array([1, 2]), np.array([50, 0]))
    assert (before.tolist(), now.tolist()) == ([3], [50])


def test_alarm_needs_both_chance_and_size() -> None:
    p, v = np.array([1e-9, 1e-9, 0.5]), np.array([0.2, 0.05, 0.2])
    assert judge(p, v, 0.003).tolist() == [True, False, False]
    # So many cases that a shift of no importance is beyond chance.
    before = Reference("bmi", "feature", range(9), [100_000] * 10)
    now = [101_000, 99_000] * 5
    [found] = compare_columns([before], [now], alpha=0.003)
    assert found.adjusted_p < 1e-4
    assert (found.is_drift, found.cases) == (False, 1_000_000)


def test_the_prediction_needs_a_larger_effect_than_a_measurement() -> None:
    counts = [1_000] * 10
    columns = [Reference("bmi", "feature", range(9), counts), Reference("prediction", "prediction", range(9), counts)]
    measured, predicted = compare_columns(columns, [[760, 1_240] * 5] * 2, alpha=0.003)
    assert 0.1 < measured.cramers_v == predicted.cramers_v < 0.15
    assert (measured.is_drift, predicted.is_drift) == (True, False)
    _, predicted = compare_columns(columns, [[600, 1_400] * 5] * 2, alpha=0.003)
    assert predicted.is_drift


def test_a_column_without_cases_or_with_one_bin_is_no_drift() -> None:
    empty = Reference("bmi", "feature", range(9), [44] * 10)
    one = Reference("s4", "feature", [], [442])
    found = compare_columns([empty, one], [[0] * 10, [500]], alpha=0.003)
    assert [(each.p, each.cramers_v, each.psi, each.is_drift) for each in found] == [(1, 0, 0, False)] * 2


def test_a_thousand_years_without_drift_have_no_more_alarms_than_set() -> None:
    years = count_false_alarms(years=1000, cases_per_day=17, seed=1)
    # The setting is 1 a year, and bounds the days with an alarm, which come in episodes.
    assert 0 < years.episodes_per_year < years.days_per_year <= 1.1
    assert years.episodes_per_year <= 0.5


def test_large_shifts_are_found_and_none_is_not() -> None:
    assert measure_power(1.0, cases=500, seed=2, repetitions=200) > 0.99
    assert measure_power(0.5, cases=500, seed=2, repetitions=200) > 0.8
    assert measure_power(0.0, cases=500, seed=2, repetitions=200) <= 0.01


def test_alpha_is_the_share_of_the_daily_runs() -> None:
    assert find_alpha(1) == 1 / 365.25
