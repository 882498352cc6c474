"""What a model must reach before it is published, by the figures that its training wrote into the manifest."""

from collections.abc import Mapping
from typing import Any

# In units of disease progression, which runs from 25 to 346 in the data; float32 alone costs about a ten-thousandth.
PARITY_TOLERANCE = 1e-3
# Nearly three standard errors of a coverage of 90 % over 442 patients: chance alone hardly leads out.
COVERAGE_TOLERANCE = 0.04


def find_failures(manifest: Mapping[str, Any]) -> list[str]:
    """What speaks against publishing, a sentence each. A figure that is missing fails like one that is bad."""
    failures = []
    try:
        difference = float(manifest["parity"]["largest_difference"])
        rmse, ridge = float(manifest["metrics"]["held_out"]["rmse"]), float(manifest["metrics"]["ridge"]["rmse"])
        coverage = float(manifest["metrics"]["held_out"]["coverage"])
        nominal = float(manifest["interval"]["coverage"])
    except (KeyError, TypeError, ValueError) as error:
        return [f"its manifest lacks a figure that is needed to judge it ({error})"]
    # Asked this way round, a NaN fails: it compares false with everything.
    if not difference <= PARITY_TOLERANCE:
        failures.append(f"its two forms differ by {difference:g}, more than {PARITY_TOLERANCE:g}")
    if not rmse <= ridge:
        failures.append(
            f"its RMSE of {rmse:.2f} on held-out patients is worse than that of ridge regression, {ridge:.2f}"
        )
    if not abs(coverage - nominal) <= COVERAGE_TOLERANCE:
        failures.append(
            f"its intervals hold {coverage:.1%} of held-out patients, which is further than "
            f"{COVERAGE_TOLERANCE:.0%} from the {nominal:.0%} that they promise"
        )
    return failures
