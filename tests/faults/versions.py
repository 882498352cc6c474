"""Judges the versions in the rows: each is one that the pointer named, and predicted what the row has."""

import math
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from lambda_app.model.predictor import Prediction
from tests.faults.ledger import Row, Told

Predict = Callable[[Sequence[Mapping[str, float]]], Sequence[Prediction]]

# An environment looks at the pointer each second. Files of a candidate that do not come keep it for two seconds more.
NEAR = timedelta(seconds=5)
# The network computes in float32, and otherwise in a batch than alone.
TOLERANCE = 1e-3
CHUNK = 500


@dataclass(frozen=True)
class Named:
    """What the pointer names from a time on: the versions that may answer, and the one that may be a shadow."""

    since: datetime
    answering: frozenset[str]
    shadow: str | None = None


def judge_versions(rows: Sequence[Row], named: Sequence[Named], models: Mapping[str, Predict]) -> dict[str, set[UUID]]:
    """Return the ids of the rows by what is wrong with their versions."""
    return {
        "of a version that the pointer did not name": set(_find_unnamed(rows, named)),
        "predicted otherwise than by its version": set(_find_untrue(rows, models)),
    }


def _find_unnamed(rows: Iterable[Row], named: Sequence[Named]) -> Iterator[UUID]:
    """Yield the ids of rows with a version that the pointer did not name when they were made, nor shortly before."""
    for row in rows:
        made_at = row.answer.made_at
        # The last one before the time that counts was there at its beginning.
        older = [one for one in named if one.since <= made_at - NEAR]
        near = [*older[-1:], *(one for one in named if made_at - NEAR < one.since <= made_at)]
        may_answer = any(row.answer.model_version in one.answering for one in near)
        if not may_answer or (row.shadow and all(row.shadow.version != one.shadow for one in near)):
            yield row.answer.request_id


def _find_untrue(rows: Iterable[Row], models: Mapping[str, Predict]) -> Iterator[UUID]:
    """Yield the ids of rows whose answer or shadow is not what its version predicts for the patient."""
    by_version: dict[str, list[tuple[Row, Told]]] = defaultdict(list)
    for row in rows:
        answer = row.answer
        by_version[answer.model_version].append((row, Told(answer.model_version, answer.prediction, answer.interval)))
        if row.shadow:
            by_version[row.shadow.version].append((row, row.shadow))
    for version, pairs in by_version.items():
        for first in range(0, len(pairs), CHUNK):
            chunk = pairs[first : first + CHUNK]
            # A version that nobody can have loaded.
            expected = models[version]([row.patient for row, _ in chunk]) if version in models else [None] * len(chunk)
            for (row, told), prediction in zip(chunk, expected, strict=True):
                if prediction is None or not _is_alike(told, prediction):
                    yield row.answer.request_id


def _is_alike(told: Told, expected: Prediction) -> bool:
    interval = expected.interval
    pairs = zip((told.prediction, *told.interval[:2]), (expected.value, interval.lower, interval.upper), strict=True)
    near = all(math.isclose(one, other, rel_tol=0, abs_tol=TOLERANCE) for one, other in pairs)
    return near and told.interval[2] == interval.coverage
