"""The story of `make demo-drift`, in the words of this table."""

from collections.abc import Mapping

Case = Mapping[str, float]

UNIT = "A school reports the score of the ACT in place of that of the SAT"
MISTAKE = "Now scores are converted, but by a table that is 150 points too low"
CHANGE = "Grades are given more strictly: each is half a point lower"


def send_unit(case: Case) -> Case:
    """The ACT goes to 36."""
    return {**case, "sat": round(case["sat"] / 45)}


def make_mistake(case: Case) -> Case:
    """400 is the lowest score that there is."""
    return {**case, "sat": max(400, case["sat"] - 150)}


def change_outcome(value: float) -> float:
    """The grade of a student who had this one before the change."""
    return max(0.0, value - 0.5)
