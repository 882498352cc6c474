"""The story of `make demo-drift`, in the words of this table: a wrong unit, a wrong conversion, a changed outcome."""

import math
from collections.abc import Mapping

Case = Mapping[str, float]

# Milligrams per decilitre in a millimole per litre.
CHOLESTEROL, TRIGLYCERIDES = 38.67, 88.57

UNIT = "A laboratory reports lipids in mmol/L, and they are sent as they come"
MISTAKE = (
    "Now lipids are converted to mg/dL, but triglycerides with the factor of cholesterol: "
    f"{CHOLESTEROL:g} in place of {TRIGLYCERIDES:g}"
)
CHANGE = "The relation changes, for example by another way to measure: every score is 30 % higher"


def send_unit(case: Case) -> Case:
    """The lipids in mmol/L. Their quotient stays."""
    triglycerides = math.exp(case["s5"]) / TRIGLYCERIDES
    return {
        **case,
        **{name: case[name] / CHOLESTEROL for name in ("s1", "s2", "s3")},
        "s5": math.log(triglycerides),
    }


def make_mistake(case: Case) -> Case:
    """Every factor is right but one."""
    return {**case, "s5": case["s5"] + math.log(CHOLESTEROL / TRIGLYCERIDES)}


def change_outcome(value: float) -> float:
    """The outcome of a case that had this one before the change."""
    return 1.3 * value
