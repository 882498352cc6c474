"""Measures what late reports do to the sentinel's run length: python -m benchmarks.late_reports, about two minutes."""

import json
from typing import Any

import numpy as np
import typer
from numpy.typing import NDArray

from benchmarks.sentinel import ALLOWED, PROMISED
from lambda_app.monitor.sentinel import ODDS_RATIOS, THRESHOLD, follow
from training.options import make_app

# So many outcomes a day, and reported so many days after the observation at most.
DAILY_OUTCOMES = 20
LATE_DAYS = (0, 5, 20)

app = make_app()


def find_late_alarms(
    rate: float, late_days: int, runs: int, days: int, seed: int
) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """As `find_first_alarms` of the sentinel, for a daily look at outcomes that come up to `late_days` late.

    Each look has them in the order in which they were observed, so a late one comes between those of earlier looks.
    """
    generator = np.random.default_rng(seed)
    misses = generator.random((days * DAILY_OUTCOMES, runs)) < rate
    observed = np.repeat(np.arange(days), DAILY_OUTCOMES)
    reported = observed + generator.integers(0, late_days, len(observed), endpoint=True)
    first, is_alarm = np.full(runs, days * DAILY_OUTCOMES), np.zeros(runs, bool)
    # The evidence of the days of which all outcomes are known.
    settled = np.zeros((runs, len(ODDS_RATIOS)))
    for day in range(days):
        known = np.flatnonzero((observed >= day - late_days) & (reported <= day))
        evidence = [components.mean(axis=1) for components in follow(settled, misses[known], ALLOWED)]
        is_new = (np.array(evidence) >= THRESHOLD).any(axis=0) & ~is_alarm
        first[is_new] = (day + 1) * DAILY_OUTCOMES
        is_alarm |= is_new
        for components in follow(settled, misses[observed == day - late_days], ALLOWED):
            settled = components
    return first, is_alarm


def measure_late_reports() -> list[dict[str, Any]]:
    """Return the run lengths at the largest allowed rate and at the promised one."""
    measured = []
    for rate, late_days in [*((ALLOWED, late_days) for late_days in LATE_DAYS), (PROMISED, LATE_DAYS[-1])]:
        first, is_alarm = find_late_alarms(rate, late_days, runs=400, days=3000, seed=4)
        alarms = int(is_alarm.sum())
        measured.append(
            {"miss_rate": rate, "late_days": late_days, "alarms": alarms, "run_length": float(first.sum() / alarms)}
        )
    return measured


@app.command()
def main() -> None:
    """Measure how many outcomes pass until a false alarm where they are reported in another order than observed."""
    typer.echo(json.dumps(measure_late_reports(), indent=1))


if __name__ == "__main__":
    app(prog_name="python -m benchmarks.late_reports")
