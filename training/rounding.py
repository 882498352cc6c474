"""Rounds figures of any scale so that a person can read them."""

import math

# The widths of bins, times a power of ten.
READABLE_WIDTHS = (1, 2, 5, 10)
# The next readable width is at most two and a half times as wide, so a histogram has 12 bins at least.
MOST_BINS = 30


def count_decimals(figure: float, digits: int = 4) -> int:
    """The decimals with which a figure has so many significant digits; whole numbers keep all of theirs."""
    return max(0, digits - 1 - math.floor(math.log10(abs(figure)))) if figure else 0


def format_figure(figure: float, digits: int = 4) -> str:
    """The figure with so many significant digits, never in powers of ten: 53.85, 0.5412, 12346."""
    return f"{figure:.{count_decimals(figure, digits)}f}"


def choose_bin_edges(lowest: float, highest: float) -> list[float]:
    """Edges of 12 to 30 bins of a readable width, of which the outer ones hold `lowest` and `highest`."""
    least = (highest - lowest) / MOST_BINS or 1.0
    power = 10.0 ** math.floor(math.log10(least))
    width = next(times * power for times in READABLE_WIDTHS if times * power >= least * (1 - 1e-9))
    first = math.floor(lowest / width)
    last = max(math.ceil(highest / width), first + 1)
    # 3 x 0.2 is 0.6000000000000001.
    return [float(f"{number * width:.12g}") for number in range(first, last + 1)]
