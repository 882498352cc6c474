"""Simulates the drift test: python -m benchmarks.drift, about seven minutes.

Counts the alarms of 1,000 years without drift, and the share of shifts that are found. Writes build/drift.json.
"""

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import typer
from numpy.typing import NDArray
from scipy import stats

from lambda_app.monitor.drift import adjust_holm, find_alpha, find_p, judge, measure_v
from problem.table import TABLE
from training.options import make_app
from training.reference import describe_numbers

BUILD = Path("build")
YEARS = 1000
RUNS_PER_YEAR = 365
WINDOW_DAYS = 30
REFERENCE_ROWS = 442
COLUMNS = len(TABLE.features) + 1
FALSE_ALARMS_PER_YEAR = 1.0
SHIFTS = (0.25, 0.5, 1.0)
SIZES = (100, 500, 2000)
REPETITIONS = 2000

app = make_app()


@dataclass(frozen=True)
class NullYears:
    """The alarms of years without drift. An episode is a row of days with an alarm."""

    years: int
    cases_per_window: int
    episodes_per_year: float
    days_per_year: float
    years_with_alarm: float


def draw_reference(generator: np.random.Generator) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Return the counts of a column's reference, (bins,), and its edges as quantiles of the truth."""
    reference = describe_numbers(generator.random(REFERENCE_ROWS))
    return np.array(reference["counts"]), np.array(reference["edges"])


def simulate_year(cases_per_day: int, generator: np.random.Generator) -> NDArray[np.bool_]:
    """Return the days of a year with an alarm, (days,). The columns are independent: then the alarms are most."""
    p, v = np.empty((2, RUNS_PER_YEAR, COLUMNS))
    for column in range(COLUMNS):
        counts, edges = draw_reference(generator)
        shares = np.diff([0, *edges, 1])
        daily = generator.multinomial(cases_per_day, shares, size=RUNS_PER_YEAR + WINDOW_DAYS - 1)
        sums = np.concatenate([np.zeros((1, len(shares)), int), daily.cumsum(axis=0)])
        windows = sums[WINDOW_DAYS:] - sums[:-WINDOW_DAYS]
        p[:, column], v[:, column] = find_p(counts, windows), measure_v(counts, windows)
    days: NDArray[np.bool_] = np.any(judge(adjust_holm(p), v, find_alpha(FALSE_ALARMS_PER_YEAR)), axis=1)
    return days


def count_false_alarms(years: int, cases_per_day: int, seed: int) -> NullYears:
    """Simulate years without drift, each with a new reference."""
    generator = np.random.default_rng(seed)
    days = np.array([simulate_year(cases_per_day, generator) for _ in range(years)])
    begins = days & ~np.concatenate([np.zeros((years, 1), bool), days[:, :-1]], axis=1)
    return NullYears(
        years=years,
        cases_per_window=cases_per_day * WINDOW_DAYS,
        episodes_per_year=float(begins.sum(axis=1).mean()),
        days_per_year=float(days.sum(axis=1).mean()),
        years_with_alarm=float(days.any(axis=1).mean()),
    )


def measure_power(shift: float, cases: int, seed: int, repetitions: int = REPETITIONS) -> float:
    """Return the share of windows in which a column of a normal distribution that has moved is found."""
    generator = np.random.default_rng(seed)
    p, v = np.ones((2, repetitions, COLUMNS))
    for repetition in range(repetitions):
        for column in range(COLUMNS):
            counts, edges = draw_reference(generator)
            moved = stats.norm.cdf(stats.norm.ppf(edges) - (shift if column == 0 else 0))
            window = generator.multinomial(cases, np.diff([0, *moved, 1]))
            p[repetition, column], v[repetition, column] = find_p(counts, window), measure_v(counts, window)
    return float(judge(adjust_holm(p), v, find_alpha(FALSE_ALARMS_PER_YEAR))[:, 0].mean())


def measure_all(years: int) -> dict[str, Any]:
    """Return the false alarms and the table of the power."""
    return {
        "null_years": [
            asdict(count_false_alarms(years, cases // WINDOW_DAYS or 1, seed=1)) for cases in (120, 510, 2010)
        ],
        "power": [
            {"shift": shift, "cases": cases, "share": measure_power(shift, cases, seed=2)}
            for shift in SHIFTS
            for cases in SIZES
        ],
    }


@app.command(epilog="Writes build/drift.json.")
def main(years: int = YEARS) -> None:
    """Simulate false alarms and power of the drift test."""
    BUILD.mkdir(exist_ok=True)
    figures = measure_all(years)
    (BUILD / "drift.json").write_text(json.dumps(figures, indent=1))
    typer.echo(json.dumps(figures, indent=1))


if __name__ == "__main__":
    app(prog_name="python -m benchmarks.drift")
