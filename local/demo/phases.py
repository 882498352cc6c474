"""The parts of the story: which cases come, what becomes of them, and how often the monitor runs."""

from collections.abc import Callable
from dataclasses import dataclass

from problem import story

Case = dict[str, float]


def _keep_case(case: Case) -> Case:
    return case


def _keep_outcome(value: float) -> float:
    return value


@dataclass(frozen=True)
class Phase:
    """A time in which one thing holds. `sent` is what of a case reaches the service, `outcome` what becomes of it."""

    title: str
    days: int
    days_between_reports: int
    sent: Callable[[Case], Case] = _keep_case
    outcome: Callable[[float], float] = _keep_outcome


def list_phases(quiet_days: int, days: int) -> list[Phase]:
    """A quiet time, the mistake, its end, and the change: each of the last three lasts `days`."""
    return [
        Phase("Nothing changes", quiet_days, 7),
        Phase(story.MISTAKE, days, 1, sent=lambda case: dict(story.make_mistake(case))),
        Phase("The mistake is mended", days, 7),
        Phase(story.CHANGE, days, 1, outcome=story.change_outcome),
    ]
