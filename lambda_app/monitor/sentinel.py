"""The coverage sentinel: an alarm when intervals miss the truth more often than promised.

A mixture e-detector of Shin, Ramdas and Rinaldo, "E-detectors: a nonparametric framework for sequential change
detection", The New England Journal of Statistics in Data Science 2 (2024). Each component is a Shiryaev-Roberts process
R = (1 + R) * L, where L is the likelihood ratio of an outcome between a larger miss rate and the allowed one. While
the miss rate is at most the allowed one, the evidence after n outcomes is at most n on average. So on average at least
THRESHOLD outcomes pass until an alarm without a cause.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

# The least average number of outcomes until a false alarm.
THRESHOLD = 10_000
# The larger miss rates, all of the same weight, by their odds relative to those of the allowed rate.
ODDS_RATIOS = (1.25, 1.5, 2.0, 3.0, 5.0)
# Each component is held at this multiple of what it needs to give an alarm alone. So the evidence falls again soon
# after the intervals have recovered. It is never larger than without this, so no false alarm is added.
CAP = 2.0
# An alarm lasts until the evidence is below this share of the threshold, so that one problem gives one alarm.
RELEASE = 0.1


@dataclass(frozen=True)
class Watch:
    """The evidence after each outcome, (n,), and the places of the outcomes, from 0, that began an alarm."""

    evidence: NDArray[np.float64]
    alarms: Sequence[int]
    is_alarm: bool


def watch_coverage(misses: NDArray[np.bool_], allowed: float) -> Watch:
    """Follow outcomes in the order in which they were observed; `misses`, (n,), are those outside their interval.

    `allowed`, above 0 and below 1, is the largest miss rate without a cause for an alarm.
    """
    evidence = gather_evidence(misses[:, np.newaxis], allowed)[:, 0]
    alarms: list[int] = []
    is_alarm = False
    for place, value in enumerate(evidence.tolist()):
        if not is_alarm and value >= THRESHOLD:
            is_alarm = True
            alarms.append(place)
        elif value < RELEASE * THRESHOLD:
            is_alarm = False
    return Watch(evidence, alarms, is_alarm)


def gather_evidence(misses: NDArray[np.bool_], allowed: float) -> NDArray[np.float64]:
    """Return the evidence after each outcome of several sequences, both (outcomes, sequences)."""
    evidence = np.empty(misses.shape)
    start = np.zeros((misses.shape[1], len(ODDS_RATIOS)))
    for place, components in enumerate(follow(start, misses, allowed)):
        evidence[place] = components.mean(axis=1)
    return evidence


def follow(components: NDArray[np.float64], misses: NDArray[np.bool_], allowed: float) -> Iterator[NDArray[np.float64]]:
    """Yield the components, (sequences, components), after each of some outcomes, (outcomes, sequences)."""
    odds = allowed / (1 - allowed) * np.array(ODDS_RATIOS)
    rates = odds / (1 + odds)
    ratios = np.stack([(1 - rates) / (1 - allowed), rates / allowed])
    highest = CAP * THRESHOLD * len(rates)
    for missed in misses.astype(np.intp):
        components = np.minimum((1 + components) * ratios[missed], highest)
        yield components
