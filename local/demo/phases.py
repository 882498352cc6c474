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
    """A time in which one thing holds. `sent` is what of a case reaches the service, `outcome` what becomes of it.

    The monitor runs daily in the first `daily` days, and then every `days_between` days.
    """

    title: str
    days: int
    daily: int = 0
    days_between: int = 14
    sent: Callable[[Case], Case] = _keep_case
    outcome: Callable[[float], float] = _keep_outcome

    def has_report(self, day: int) -> bool:
        """Return True if the monitor runs at the end of this day, from 1."""
        return day <= self.daily or day % self.days_between == 0 or day == self.days


def list_phases(quiet_days: int, days: int) -> list[Phase]:
    """A quiet time, the mistake, its end, and the change: each of the last three lasts `days`."""
    return [
        Phase("Nothing changes", quiet_days),
        Phase(story.MISTAKE, days, 15, 5, sent=lambda case: dict(story.make_mistake(case))),
        Phase("The mistake is mended", days),
        Phase(story.CHANGE, days, 15, 5, outcome=story.change_outcome),
    ]
