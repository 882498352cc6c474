"""The SQL of the report. It reads the predictions of a window, and the newest outcomes, never a whole table."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import numpy as np

from lambda_app.monitor.figures import Evaluated
from lambda_app.monitor.reference import Reference
from lambda_app.tasks import Tools

# The outcomes of a version that are evaluated, and those that are read to find them for all versions.
MOST_OUTCOMES = 10_000
MOST_READ = 50_000

_IN_WINDOW = "created_at >= CAST(:starts AS timestamptz) AND created_at < CAST(:ends AS timestamptz)"
_LIST_VERSIONS = f"SELECT DISTINCT model_version FROM predictions WHERE {_IN_WINDOW}"  # noqa: S608 (our own names)

# Each LIMIT 1 makes PostgreSQL look up row by row. As joins, it would read both tables as a whole.
_FIND_OUTCOMES = """
SELECT model_version, prediction, interval_lower, interval_upper, interval_coverage, value, created_at, observed_at
FROM (
    SELECT predicted.*, reported.value, reported.observed_at, reported.request_id,
        row_number() OVER (
            PARTITION BY model_version ORDER BY reported.observed_at DESC, reported.request_id
        ) AS place
    FROM (
        SELECT outcome_id, request_id, predicted_at, value, observed_at FROM outcomes
        WHERE predicted_at IS NOT NULL
        ORDER BY observed_at DESC, request_id, outcome_id
        LIMIT :most_read
    ) AS reported
    CROSS JOIN LATERAL (
        SELECT model_version, prediction, interval_lower, interval_upper, interval_coverage, created_at
        FROM predictions
        WHERE request_id = reported.request_id AND created_at = reported.predicted_at
        LIMIT 1
    ) AS predicted
    WHERE reported.observed_at >= created_at
        AND model_version = coalesce(CAST(:version AS text), model_version)
        AND reported.outcome_id = (
            SELECT outcome_id FROM outcomes AS same
            WHERE same.request_id = reported.request_id
            ORDER BY same.reported_at DESC, outcome_id DESC
            LIMIT 1
        )
) AS evaluated
WHERE place <= :most
ORDER BY model_version, observed_at, request_id DESC
"""

_REPORTED = """
SELECT DISTINCT request_id, predicted_at FROM outcomes
WHERE predicted_at >= CAST(:starts AS timestamptz) AND predicted_at < CAST(:ends AS timestamptz)
"""
_COUNT_PREDICTIONS = f"""
SELECT p.model_version, width_bucket(p.prediction, g.edges), count(*), count(o.request_id),
    count(*) FILTER (WHERE o.request_id IS NULL AND p.interval_coverage IS NOT NULL),
    avg(p.prediction) FILTER (WHERE o.request_id IS NULL AND p.interval_coverage IS NOT NULL)
FROM predictions AS p
JOIN json_to_recordset(CAST(:grids AS json)) AS g (model_version text, edges double precision[])
    ON g.model_version = p.model_version
LEFT JOIN ({_REPORTED}) AS o ON o.request_id = p.request_id AND o.predicted_at = p.created_at
WHERE {_IN_WINDOW}
GROUP BY 1, 2
ORDER BY 1, 2
"""  # noqa: S608 (our own names)


@dataclass(frozen=True)
class Window:
    """A time from `starts` to before `ends`."""

    starts: datetime
    ends: datetime

    @property
    def bounds(self) -> dict[str, datetime]:
        """The parameters of the statements."""
        return {"starts": self.starts, "ends": self.ends}

    def describe(self) -> dict[str, str]:
        """Return it for the report."""
        return {"from": self.starts.isoformat(), "to": self.ends.isoformat()}


@dataclass(frozen=True)
class Cell:
    """The predictions between two neighbouring edges; `place` is the number of edges that they have reached.

    `open` are those without an outcome and with a promised coverage, `mean` is their mean prediction.
    """

    place: int
    predictions: int
    with_outcome: int
    open: int
    mean: float | None


def list_versions(tools: Tools, window: Window) -> set[str]:
    """The versions that predicted in the window."""
    return {version for [version] in tools.select(_LIST_VERSIONS, **window.bounds)}


def find_outcomes(tools: Tools, version: str | None = None) -> dict[str, Evaluated]:
    """The newest outcomes that count, by version and in observed order.

    They are among the MOST_READ reports of known predictions that were observed last. An outcome counts if there is no
    later report for its prediction, its prediction is still there, and it was observed afterwards.
    """
    rows = tools.select(_FIND_OUTCOMES, most_read=MOST_READ, most=MOST_OUTCOMES, version=version)
    groups: dict[str, list[Sequence[Any]]] = {}
    for name, *rest in rows:
        groups.setdefault(name, []).append(rest)
    return {name: _gather(group) for name, group in groups.items()}


def count_predictions(tools: Tools, window: Window, grids: Mapping[str, Sequence[float]]) -> dict[str, list[Cell]]:
    """Count the predictions of the versions between the edges of their grids."""
    entries = [{"model_version": version, "edges": list(edges)} for version, edges in grids.items()]
    found: dict[str, list[Cell]] = {version: [] for version in grids}
    for version, *cell in tools.select(_COUNT_PREDICTIONS, grids=json.dumps(entries), **window.bounds):
        found[version].append(Cell(*cell))
    return found


def count_columns(tools: Tools, window: Window, version: str, references: Sequence[Reference]) -> list[list[int]]:
    """Count the cases of a version in the bins of each reference. Of the cases of one subject the newest counts."""
    columns = ", ".join(reference.name for reference in references)
    where = f"WHERE {_IN_WINDOW} AND model_version = :version"
    places = ", ".join(f"({place}, {_find_bin(place, one)})" for place, one in enumerate(references))
    statement = f"""
        SELECT place, bin, count(*)
        FROM (
            SELECT {columns} FROM predictions {where} AND subject IS NULL
            UNION ALL
            SELECT {columns} FROM (
                SELECT DISTINCT ON (subject) {columns} FROM predictions {where} AND subject IS NOT NULL
                ORDER BY subject, created_at DESC, request_id
            ) AS newest
        ) AS cases
        CROSS JOIN LATERAL (VALUES {places}) AS found (place, bin)
        WHERE bin IS NOT NULL
        GROUP BY place, bin
    """  # noqa: S608 (our own names)
    marks = {f"marks_{place}": list(one.marks) for place, one in enumerate(references)}
    counts = [[0] * len(reference.counts) for reference in references]
    for place, number, count in tools.select(statement, version=version, **marks, **window.bounds):
        counts[place][number] = count
    return counts


def _find_bin(place: int, reference: Reference) -> str:
    """SQL for the number of the bin of a value, from 0; null for no value, and for a code without a bin."""
    marks, value = f"CAST(:marks_{place} AS double precision[])", f"CAST({reference.name} AS double precision)"
    return f"array_position({marks}, {value}) - 1" if reference.has_values else f"width_bucket({value}, {marks})"


def _gather(rows: Sequence[Sequence[Any]]) -> Evaluated:
    predictions, lower, upper, coverages, values, created_at, observed_at = zip(*rows, strict=True)
    inside = np.array([coverage is not None for coverage in coverages])
    return Evaluated(
        predictions=np.array(predictions, float),
        lower=np.array(lower, float),
        upper=np.array(upper, float),
        values=np.array(values, float),
        inside=inside,
        created_at=[time.astimezone(UTC) for time in created_at],
        observed_at=[time.astimezone(UTC) for time in observed_at],
        coverage=min((coverage for coverage in coverages if coverage is not None), default=None),
    )
