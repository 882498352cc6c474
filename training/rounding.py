"""Rounds figures of any scale for people."""

import math

# The widths of bins, multiplied by a power of ten.
READABLE_WIDTHS = (1, 2, 5, 10)
# The next width is at most 2.5 times as large, so a histogram has at least 12 bins.
MOST_BINS = 30


def count_decimals(figure: float, digits: int = 4) -> int:
    """Return the decimals that give a figure this many significant digits; whole numbers keep all digits."""
    return max(0, digits - 1 - math.floor(math.log10(abs(figure)))) if figure else 0


def format_figure(figure: float, digits: int = 4) -> str:
    """Format a figure with this many significant digits, without an exponent: 53.85, 0.5412, 12346."""
    return f"{figure:.{count_decimals(figure, digits)}f}"


def format_share(share: object) -> str:
    """Format a share as a percentage of up to 4 digits: 5 %, 0.05 %; another value as it is."""
    return f"{100 * share:.4g} %" if isinstance(share, int | float) and abs(share) <= 1 else str(share)


def choose_bin_edges(lowest: float, highest: float) -> list[float]:
    """Return the edges of 12 to 30 bins with a round width; the outer bins contain `lowest` and `highest`."""
    least = (highest - lowest) / MOST_BINS or 1.0
    power = 10.0 ** math.floor(math.log10(least))
    width = next(times * power for times in READABLE_WIDTHS if times * power >= least * (1 - 1e-9))
    first = math.floor(lowest / width)
    last = max(math.ceil(highest / width), first + 1)
    # 3 x 0.2 is 0.6000000000000001.
    return [float(f"{number * width:.12g}") for number in range(first, last + 1)]
