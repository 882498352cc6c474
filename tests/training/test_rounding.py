"""Rounding: figures and bins that a person can read, whatever the scale."""

import numpy as np
import pytest

from training.rounding import choose_bin_edges, count_decimals, format_figure, format_share


@pytest.mark.parametrize(
    ("share", "text"), [(0.05, "5 %"), (1, "100 %"), (None, "None"), (10**400, str(10**400)), ([1], "[1]")]
)
def test_a_share_is_a_percentage_and_another_value_stays(share: object, text: str) -> None:
    assert format_share(share) == text


@pytest.mark.parametrize(
    ("figure", "digits", "text"),
    [
        (53.8512, 4, "53.85"),
        (0.54462, 4, "0.5446"),
        (12345.6, 4, "12346"),
        (170.24, 4, "170.2"),
        (-3.2, 2, "-3.2"),
        (0.0, 4, "0"),
    ],
)
def test_figure_has_so_many_digits_and_no_power_of_ten(figure: float, digits: int, text: str) -> None:
    assert format_figure(figure, digits) == text


def test_decimals_of_one_figure_serve_for_others_beside_it() -> None:
    assert f"{-0.977:+.{count_decimals(53.85)}f}" == "-0.98"


@pytest.mark.parametrize(
    ("lowest", "highest", "first", "second", "last"),
    [
        (25, 346, 20, 40, 360),
        (0, 4, 0, 0.2, 4),
        (-502.3, 1536.8, -600, -500, 1600),
        (0.0011, 0.0017, 0.0011, 0.00112, 0.0017),
    ],
)
def test_bins_are_of_a_round_width(lowest: float, highest: float, first: float, second: float, last: float) -> None:
    edges = choose_bin_edges(lowest, highest)
    assert (edges[0], edges[1], edges[-1]) == (first, second, last)
    np.testing.assert_allclose(np.diff(edges), edges[1] - edges[0])


def test_few_and_many_bins_stay_readable_and_hold_every_value() -> None:
    generator = np.random.default_rng(0)
    for scale in 10.0 ** np.arange(-6, 7):
        lowest, highest = np.sort(generator.normal(size=2)) * scale
        edges = choose_bin_edges(lowest, highest)
        assert 12 <= len(edges) - 1 <= 32
        assert edges[0] <= lowest < highest <= edges[-1]


def test_targets_that_are_all_the_same_have_one_bin() -> None:
    assert choose_bin_edges(5, 5) == [5, 6]
