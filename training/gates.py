"""The gates before publishing. They check the figures in the manifest."""

import math
from collections.abc import Mapping
from typing import Any

from problem.table import TABLE
from training.rounding import format_figure

# Relative to the range of the target in the training rows; float32 alone takes about a tenth of it.
PARITY_TOLERANCE = 3e-6
# Three standard errors of a coverage of 90 % over 500 rows, so chance alone rarely fails the gate.
COVERAGE_TOLERANCE = 0.04
FIGURES = (
    "parity.largest_difference",
    "outcomes.minimum",
    "outcomes.maximum",
    "metrics.held_out.rmse",
    "metrics.ridge.rmse",
    "metrics.held_out.coverage",
    "interval.coverage",
)


def find_parity_tolerance(minimum: float, maximum: float) -> float:
    """Return the largest allowed difference between the two forms of a model, from the range of the target."""
    return PARITY_TOLERANCE * (maximum - minimum)


def find_failures(manifest: Mapping[str, Any]) -> list[str]:
    """List the reasons against publishing, one sentence each. A missing figure is a reason too."""
    failures = []
    figures = [_read_figure(manifest, path) for path in FIGURES]
    if missing := [path for path, figure in zip(FIGURES, figures, strict=True) if math.isnan(figure)]:
        return [f"its manifest lacks what is needed to judge it, a number as {' and '.join(missing)}"]
    difference, minimum, maximum, rmse, ridge, coverage, nominal = figures
    tolerance = find_parity_tolerance(minimum, maximum)
    if difference > tolerance:
        failures.append(f"its two forms differ by {difference:g}, more than {tolerance:g}")
    if rmse > ridge:
        failures.append(
            f"its RMSE of {format_figure(rmse)} on held-out {TABLE.cases} is worse than that of ridge regression, "
            f"{format_figure(ridge)}"
        )
    if abs(coverage - nominal) > COVERAGE_TOLERANCE:
        failures.append(
            f"its intervals hold {coverage:.1%} of held-out {TABLE.cases}, which is further than "
            f"{COVERAGE_TOLERANCE:.0%} from the {nominal:.0%} that they promise"
        )
    return failures


def _read_figure(manifest: Mapping[str, Any], path: str) -> float:
    """Return the figure, or NaN if it is missing or not finite."""
    found: Any = manifest
    for name in path.split("."):
        found = found.get(name) if isinstance(found, Mapping) else None
    return float(found) if isinstance(found, int | float) and math.isfinite(found) else math.nan
