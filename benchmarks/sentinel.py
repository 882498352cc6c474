"""Measures the coverage sentinel by simulation: python -m benchmarks.sentinel, about two minutes.

Writes build/sentinel.json, with the average run length to a false alarm, the delays after a jump of the miss rate, and
how soon the evidence falls after a recovery, and build/sentinel.png.
"""

import json
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import typer
from matplotlib.figure import Figure
from numpy.typing import NDArray

from lambda_app.monitor.sentinel import RELEASE, THRESHOLD, gather_evidence
from training.figure import BLUE, DOTS_PER_INCH, GREY, ORANGE, TITLE_POINTS, start_figure
from training.options import make_app

BUILD = Path("build")
# The miss rates of the promise, and the largest that gives no alarm.
PROMISED, ALLOWED = 0.10, 0.14
GOOD_OUTCOMES = 1000
BAD_OUTCOMES = 4000
# Until the recovery: long enough for an alarm in nearly all runs.
BAD_BEFORE_RECOVERY = 1000
RATES_AFTER = (0.18, 0.20, 0.25, 0.30, 0.40)
RATES_BEFORE_RECOVERY = (0.20, 0.30, 0.40)
RATES_WITHOUT_CAUSE = (0.10, 0.12, 0.13, 0.14)
DRAWN_RUNS = 40
# Sequences at once, so that the evidence of all fits into memory.
AT_ONCE = 100

app = make_app()


def simulate(rates: NDArray[np.float64], runs: int, generator: np.random.Generator) -> NDArray[np.float64]:
    """Return the evidence, (outcomes, runs), for the miss rate of each outcome, (outcomes,)."""
    return gather_evidence(generator.random((len(rates), runs)) < rates[:, np.newaxis], ALLOWED)


def jump(rate: float) -> NDArray[np.float64]:
    """Return miss rates as promised, and then `rate`."""
    return np.repeat([PROMISED, rate], [GOOD_OUTCOMES, BAD_OUTCOMES])


def measure_delays(rate: float, runs: int, seed: int) -> NDArray[np.float64]:
    """Return the outcomes from a jump to the alarm, of the runs without an alarm before; infinite without one."""
    evidence = simulate(jump(rate), runs, np.random.default_rng(seed)) >= THRESHOLD
    evidence = evidence[:, ~evidence[:GOOD_OUTCOMES].any(axis=0)][GOOD_OUTCOMES:]
    return np.where(evidence.any(axis=0), evidence.argmax(axis=0) + 1.0, np.inf)


def measure_recovery(rate: float, share: float, runs: int, seed: int) -> NDArray[np.float64]:
    """Return the outcomes from a recovery until the evidence is below this share of the threshold, (runs,).

    Before it, outcomes miss at `rate`; after it as promised. Runs without enough evidence at the recovery have zero.
    """
    rates = np.repeat([PROMISED, rate, PROMISED], [GOOD_OUTCOMES, BAD_BEFORE_RECOVERY, BAD_OUTCOMES])
    evidence = simulate(rates, runs, np.random.default_rng(seed))[GOOD_OUTCOMES + BAD_BEFORE_RECOVERY - 1 :]
    return np.asarray((evidence < share * THRESHOLD).argmax(axis=0), np.float64)


def find_first_alarms(rate: float, runs: int, outcomes: int, seed: int) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Return the outcomes until the first alarm at a constant rate, (runs,), at most `outcomes`; and if it came."""
    generator = np.random.default_rng(seed)
    first, is_alarm = [], []
    for start in range(0, runs, AT_ONCE):
        evidence = simulate(np.full(outcomes, rate), min(AT_ONCE, runs - start), generator) >= THRESHOLD
        is_alarm.append(evidence.any(axis=0))
        first.append(np.where(is_alarm[-1], evidence.argmax(axis=0) + 1, outcomes))
    return np.concatenate(first), np.concatenate(is_alarm)


def measure_all() -> dict[str, Any]:
    """Return run lengths without a cause, and quantiles of the delays."""
    lengths = []
    for rate in RATES_WITHOUT_CAUSE:
        first, is_alarm = find_first_alarms(rate, runs=1000, outcomes=60_000, seed=1)
        alarms = int(is_alarm.sum())
        length = float(first.sum() / alarms) if alarms else None
        lengths.append({"miss_rate": rate, "outcomes": int(first.sum()), "alarms": alarms, "run_length": length})
    delays = []
    for rate in RATES_AFTER:
        quantiles = np.quantile(measure_delays(rate, runs=2000, seed=2), (0.1, 0.5, 0.9)).tolist()
        delays.append({"miss_rate": rate, **dict(zip(("p10", "median", "p90"), quantiles, strict=True))})
    recoveries = []
    for rate, share in product(RATES_BEFORE_RECOVERY, (1.0, RELEASE)):
        quantiles = np.quantile(measure_recovery(rate, share, runs=2000, seed=4), (0.1, 0.5, 0.9)).tolist()
        figures = dict(zip(("p10", "median", "p90"), quantiles, strict=True))
        recoveries.append({"miss_rate": rate, "below": share * THRESHOLD, **figures})
    return {"without_cause": lengths, "delays": delays, "recoveries": recoveries}


def draw_runs() -> Figure:
    """Draw the evidence of some runs around a jump to 20 % and to 30 %, with the median."""
    figure, panels = start_figure(10, 4.6, (1, 1))
    for axes, rate, shown in zip(panels, (0.20, 0.30), (900, 300), strict=True):
        evidence = simulate(jump(rate), DRAWN_RUNS, np.random.default_rng(3))[GOOD_OUTCOMES - 200 :]
        numbers = np.arange(len(evidence)) - 200
        axes.plot(numbers, evidence, color=BLUE, alpha=0.25, linewidth=0.7)
        delay = float(np.median(measure_delays(rate, runs=2000, seed=2)))
        axes.axhline(THRESHOLD, color=ORANGE, linestyle="--", label=f"Threshold, {THRESHOLD:,}")
        axes.axvline(delay, color=ORANGE, label=f"Median delay, {delay:.0f} outcomes")
        axes.axvline(0, color=GREY, linewidth=1)
        axes.set(yscale="log", xlim=(-200, shown), ylim=(0.1, 2e5))
        axes.set_title(f"{PROMISED:.0%} misses, then {rate:.0%}")
        axes.set_xlabel("Outcomes since the change")
        axes.set_ylabel("Evidence")
        axes.legend(loc="lower right")
    figure.suptitle(f"The sentinel in {DRAWN_RUNS} simulated runs", fontsize=TITLE_POINTS)
    return figure


@app.command(epilog="Writes build/sentinel.json and build/sentinel.png.")
def main() -> None:
    """Measure run lengths, delays and recoveries of the coverage sentinel."""
    BUILD.mkdir(exist_ok=True)
    figures = measure_all()
    (BUILD / "sentinel.json").write_text(json.dumps(figures, indent=1))
    draw_runs().savefig(BUILD / "sentinel.png", dpi=DOTS_PER_INCH)
    typer.echo(json.dumps(figures, indent=1))


if __name__ == "__main__":
    app(prog_name="python -m benchmarks.sentinel")
