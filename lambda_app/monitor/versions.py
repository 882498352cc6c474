"""The part of the report about one version: its predictions, and its live figures beside the promised ones."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import numpy as np

from lambda_app.model.interval import IntervalCalibration
from lambda_app.monitor.figures import LEAST_OUTCOMES, Evaluated, describe_figures
from lambda_app.monitor.promises import Promise
from lambda_app.monitor.queries import Cell, Window
from lambda_app.monitor.sentinel import THRESHOLD, watch_coverage

# The outcomes of a block of `over_time`, at least, and the number of blocks, at most.
BLOCK_OUTCOMES = 50
MOST_BLOCKS = 40
MOST_POINTS = 400
MOST_ALARMS = 20
DELAY_BINS = 20
# The cells in which predictions are counted to find their expected error, which is smooth.
GRID_CELLS = 100

DAY = timedelta(days=1)


def describe_version(
    promise: Promise, cells: Sequence[Cell], evaluated: Evaluated | None, window: Window, tolerance: float
) -> dict[str, Any]:
    """Return all that needs no further query; `cells` are the predictions of the window between the edges."""
    return {
        "promised": promise.figures,
        "predictions": {**count_cells(cells), **window.describe()},
        "delay_days": describe_delays(evaluated),
        "live": describe_figures(evaluated) if evaluated else None,
        "thirds": describe_thirds(promise, cells, evaluated),
        "expected": expect_error(promise.calibration, cells),
        "over_time": describe_blocks(evaluated) if evaluated else [],
        "sentinel": describe_sentinel(evaluated, tolerance) if evaluated else None,
    }


def choose_grid(promise: Promise) -> list[float]:
    """Return the edges between which the predictions of a version are counted, those of its thirds among them."""
    edges = set(promise.third_edges)
    if promise.calibration:
        lowest = min(fold.lowest for fold in promise.calibration.folds)
        highest = max(fold.highest for fold in promise.calibration.folds)
        edges.update(np.linspace(lowest, highest, GRID_CELLS + 1).tolist())
    return sorted(edges)


def count_cells(cells: Sequence[Cell]) -> dict[str, int]:
    """Return the numbers of predictions and of those with an outcome."""
    return {"count": sum(cell.predictions for cell in cells), "with_outcome": sum(cell.with_outcome for cell in cells)}


def find_due_window(delays: dict[str, Any] | None, window: Window) -> Window | None:
    """Return the window as it was when nine of ten of the outcomes that come had time to come."""
    if delays is None:
        return None
    late = delays["p90"] * DAY
    return Window(window.starts - late, window.ends - late)


def describe_delays(evaluated: Evaluated | None) -> dict[str, Any] | None:
    """Return quantiles and histogram of the days from prediction to observation."""
    if evaluated is None or len(evaluated) < LEAST_OUTCOMES:
        return None
    pairs = zip(evaluated.created_at, evaluated.observed_at, strict=True)
    days = np.array([(observed - created) / DAY for created, observed in pairs])
    counts, edges = np.histogram(days, DELAY_BINS, (0.0, days.max() or 1.0))
    p10, p50, p90 = np.quantile(days, (0.1, 0.5, 0.9)).tolist()
    return {"p10": p10, "p50": p50, "p90": p90, "edges": edges.tolist(), "counts": counts.tolist()}


def describe_thirds(promise: Promise, cells: Sequence[Cell], evaluated: Evaluated | None) -> list[dict[str, Any]]:
    """Return predictions and figures by the thirds of the promise; empty if the manifest has none."""
    edges = promise.third_edges
    if not edges:
        return []
    grid = choose_grid(promise)
    limits = [0, *(grid.index(edge) + 1 for edge in edges), len(grid) + 1]
    ends = [None, *edges, None]
    third_of_row = np.searchsorted(edges, evaluated.predictions, side="right") if evaluated else None
    thirds = []
    for number, promised in enumerate(promise.thirds):
        counted = count_cells([cell for cell in cells if limits[number] <= cell.place < limits[number + 1]])
        live = None
        if evaluated is not None and third_of_row is not None:
            live = describe_figures(evaluated.take(np.flatnonzero(third_of_row == number)))
        thirds.append(
            {
                "from": ends[number],
                "to": ends[number + 1],
                "predictions": counted["count"],
                "with_outcome": counted["with_outcome"],
                "promised": promised,
                "live": live,
            }
        )
    return thirds


def expect_error(calibration: IntervalCalibration | None, cells: Sequence[Cell]) -> dict[str, Any] | None:
    """Return the mean absolute error that the interval model expects for predictions without an outcome."""
    count = sum(cell.open for cell in cells)
    if calibration is None or not count:
        return None
    total = 0.0
    for cell in cells:
        if cell.mean is not None:
            total += cell.open * sum(fold.expect_error(cell.mean) for fold in calibration.folds)
    return {"count": count, "mae": total / len(calibration.folds) / count}


def describe_blocks(evaluated: Evaluated) -> list[dict[str, Any]]:
    """Return the figures of consecutive blocks, in observed order."""
    blocks = min(MOST_BLOCKS, len(evaluated) // BLOCK_OUTCOMES)
    described = []
    for places in np.array_split(np.arange(len(evaluated)), blocks) if blocks else []:
        first, last = evaluated.observed_at[places[0]], evaluated.observed_at[places[-1]]
        figures = describe_figures(evaluated.take(places)) or {}
        described.append({"from": first.isoformat(), "to": last.isoformat(), **figures})
    return described


def describe_sentinel(evaluated: Evaluated, tolerance: float) -> dict[str, Any] | None:
    """Return the evidence against the promised coverage; None without a case that has one."""
    if evaluated.coverage is None:
        return None
    watch = watch_coverage(~evaluated.covered, 1 - evaluated.coverage + tolerance)
    times = [evaluated.observed_at[place].isoformat() for place in np.flatnonzero(evaluated.inside)]
    evidence = watch.evidence.tolist()
    points = np.unique(np.linspace(0, len(times) - 1, min(MOST_POINTS, len(times))).round().astype(int)).tolist()
    return {
        "outcomes": len(times),
        "evidence": evidence[-1],
        "threshold": THRESHOLD,
        "is_alarm": watch.is_alarm,
        "alarms": [{"outcome": place + 1, "observed_at": times[place]} for place in watch.alarms[-MOST_ALARMS:]],
        "line": [[place + 1, times[place], evidence[place]] for place in points],
    }
