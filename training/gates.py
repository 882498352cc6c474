"""What a model must reach before it is published, by the figures that its training wrote into the manifest."""

import math
from collections.abc import Mapping
from typing import Any

# In units of disease progression, which runs from 25 to 346 in the data; float32 alone costs about a ten-thousandth.
PARITY_TOLERANCE = 1e-3
# Nearly three standard errors of a coverage of 90 % over 442 patients: chance alone hardly leads out.
COVERAGE_TOLERANCE = 0.04
FIGURES = (
    "parity.largest_difference",
    "metrics.held_out.rmse",
    "metrics.ridge.rmse",
    "metrics.held_out.coverage",
    "interval.coverage",
)


def find_failures(manifest: Mapping[str, Any]) -> list[str]:
    """What speaks against publishing, a sentence each. A figure that is missing fails like one that is bad."""
    failures = []
    figures = [_read_figure(manifest, path) for path in FIGURES]
    if missing := [path for path, figure in zip(FIGURES, figures, strict=True) if math.isnan(figure)]:
        return [f"its manifest lacks what is needed to judge it, a number as {' and '.join(missing)}"]
    difference, rmse, ridge, coverage, nominal = figures
    if difference > PARITY_TOLERANCE:
        failures.append(f"its two forms differ by {difference:g}, more than {PARITY_TOLERANCE:g}")
    if rmse > ridge:
        failures.append(
            f"its RMSE of {rmse:.2f} on held-out patients is worse than that of ridge regression, {ridge:.2f}"
        )
    if abs(coverage - nominal) > COVERAGE_TOLERANCE:
        failures.append(
            f"its intervals hold {coverage:.1%} of held-out patients, which is further than "
            f"{COVERAGE_TOLERANCE:.0%} from the {nominal:.0%} that they promise"
        )
    return failures


def _read_figure(manifest: Mapping[str, Any], path: str) -> float:
    """NaN when there is no finite number of that name."""
    found: Any = manifest
    for name in path.split("."):
        found = found.get(name) if isinstance(found, Mapping) else None
    return float(found) if isinstance(found, int | float) and math.isfinite(found) else math.nan
