"""A candidate at work beside the current model. Whatever it does, each case gets an answer as without it."""

import hashlib
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from lambda_app.model.bundle import CANARY, Candidate, describe_fault
from lambda_app.model.predictor import Prediction, Predictor

Cases = Sequence[Mapping[str, float]]

# `max_ms` is for so many cases. For more of them, the candidate may take longer in proportion.
CASES_IN_TIME = 100


@dataclass(frozen=True)
class Tried:
    """The predictions that answer, by place, and what the candidate had to do with them.

    `answered` are the places of the candidate's answers, `shadows` its predictions beside answers of the current model,
    by place. It took `case_ms` for each of its cases.
    """

    version: str
    predictions: Sequence[Prediction]
    answered: frozenset[int]
    shadows: Mapping[int, Prediction]
    case_ms: float


class Trial:
    """A candidate that the pointer names. `fault` says why it is not asked, if it is not.

    `on_failed` gets the version and the reason.
    """

    def __init__(
        self,
        candidate: Candidate,
        predictor: Predictor | None,
        fault: str | None,
        *,
        max_ms: float,
        on_failed: Callable[[str, str], None],
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        self.candidate = candidate
        self.fault = fault
        self._predictor = predictor
        self._max_ms = max_ms
        self._on_failed = on_failed
        self._clock = clock

    def predict(self, current: Predictor, cases: Cases, keys: Sequence[str]) -> Tried:
        """Predict for cases; the candidate gets those whose key it is chosen by. Raises only what `current` raises.

        Each model is asked once for all of its cases.
        """
        chosen = self._choose(keys)
        if self.candidate.mode == CANARY:
            return self._answer(current, cases, chosen)
        predictions = current.predict(cases)
        shadows, case_ms = self._ask(cases, chosen)
        return Tried(self.candidate.version, predictions, frozenset(), shadows, case_ms)

    def _answer(self, current: Predictor, cases: Cases, chosen: Sequence[int]) -> Tried:
        found, case_ms = self._ask(cases, chosen)
        answered = frozenset(found)
        rest = [place for place in range(len(cases)) if place not in answered]
        if rest:
            found |= dict(zip(rest, current.predict([cases[place] for place in rest]), strict=True))
        return Tried(self.candidate.version, [found[place] for place in range(len(cases))], answered, {}, case_ms)

    def _choose(self, keys: Sequence[str]) -> list[int]:
        if self._predictor is None or self.fault is not None:
            return []
        # The cases of a batch without subjects have one key.
        wanted = {key: is_chosen(self.candidate, key) for key in set(keys)}
        return [place for place, key in enumerate(keys) if wanted[key]]

    def _ask(self, cases: Cases, chosen: Sequence[int]) -> tuple[dict[int, Prediction], float]:
        """Return the candidate's predictions by place, and its time for each; none if it fails or is slow."""
        if self._predictor is None or not chosen:
            return {}, 0.0
        started = self._clock()
        try:
            found = dict(zip(chosen, self._predictor.predict([cases[place] for place in chosen]), strict=True))
        # Its runtime may raise anything.
        except Exception as error:
            self._on_failed(self.candidate.version, describe_fault(error))
            return {}, 0.0
        milliseconds = (self._clock() - started) * 1000
        if milliseconds > self._max_ms * max(1.0, len(chosen) / CASES_IN_TIME):
            self.fault = f"it took {milliseconds:.0f} ms (cases: {len(chosen)}), more than CANDIDATE_MAX_MS"
            self._on_failed(self.candidate.version, self.fault)
            return {}, 0.0
        return found, milliseconds / len(chosen)


def is_chosen(candidate: Candidate, key: str) -> bool:
    """Return True for the candidate's share of the keys: always the same ones with the same salt."""
    digest = hashlib.sha256(f"{candidate.salt}{key}".encode()).digest()
    return int.from_bytes(digest[:8]) / 2**64 < candidate.share
