"""The SQL about a candidate: its predictions beside those of the current version, and the outcomes of both."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import numpy as np

from lambda_app.monitor.differences import Pairs
from lambda_app.monitor.figures import LEAST_OUTCOMES, Evaluated
from lambda_app.monitor.queries import Window
from lambda_app.tasks import Tools

# The outcomes that are evaluated, and the reports that are read to find them: the first ones since the trial began. The
# first and not the last, so that a sequence never begins anew.
MOST_OUTCOMES = 50_000
MOST_READ = 500_000
DIFFERENCE_QUANTILES = {"p5": 0.05, "p25": 0.25, "p50": 0.5, "p75": 0.75, "p95": 0.95}
LATENCY_QUANTILES = {"p50": 0.5, "p95": 0.95, "p99": 0.99}

_IN_WINDOW = "created_at >= CAST(:starts AS timestamptz) AND created_at < CAST(:ends AS timestamptz)"
_IS_PAIR = "model_version = :current AND shadow_version = :candidate"
_HAVE_INTERVALS = "interval_coverage IS NOT NULL AND shadow_coverage IS NOT NULL"
_LATENCY = "percentile_cont(CAST(:latency AS double precision[])) WITHIN GROUP (ORDER BY {})"

_DESCRIBE_PAIRS = f"""
SELECT count(*), avg(shadow_prediction - prediction),
    percentile_cont(CAST(:difference AS double precision[])) WITHIN GROUP (ORDER BY shadow_prediction - prediction),
    count(*) FILTER (WHERE interval_coverage IS NOT NULL),
    count(*) FILTER (
        WHERE interval_coverage IS NOT NULL AND shadow_prediction NOT BETWEEN interval_lower AND interval_upper
    ),
    avg(interval_upper - interval_lower) FILTER (WHERE {_HAVE_INTERVALS}),
    avg(shadow_upper - shadow_lower) FILTER (WHERE {_HAVE_INTERVALS}),
    {_LATENCY.format("latency_ms")}, {_LATENCY.format("shadow_ms")}
FROM predictions
WHERE {_IN_WINDOW} AND {_IS_PAIR}
"""  # noqa: S608 (our own names)

_DESCRIBE_GROUPS = f"""
SELECT model_version, count(*), avg(prediction),
    avg(interval_upper - interval_lower) FILTER (WHERE interval_coverage IS NOT NULL), {_LATENCY.format("latency_ms")}
FROM predictions
WHERE {_IN_WINDOW} AND model_version IN (:current, :candidate)
GROUP BY model_version
"""  # noqa: S608 (our own names)

_COLUMNS = "prediction, interval_lower, interval_upper, interval_coverage"
_SHADOW_COLUMNS = "shadow_prediction, shadow_lower, shadow_upper, shadow_coverage"

# As the statement of queries.py, but from the beginning on.
_FIND_OUTCOMES = f"""
SELECT model_version, created_at, observed_at, value, {_COLUMNS}, {_SHADOW_COLUMNS}
FROM (
    SELECT outcome_id, request_id, predicted_at, value, observed_at FROM outcomes
    WHERE predicted_at >= CAST(:since AS timestamptz) AND observed_at >= CAST(:since AS timestamptz)
    ORDER BY observed_at, request_id, outcome_id
    LIMIT :most_read
) AS reported
CROSS JOIN LATERAL (
    SELECT model_version, shadow_version, created_at, {_COLUMNS}, {_SHADOW_COLUMNS}
    FROM predictions
    WHERE request_id = reported.request_id AND created_at = reported.predicted_at
    LIMIT 1
) AS predicted
WHERE reported.observed_at >= created_at
    AND {{condition}}
    AND reported.outcome_id = (
        SELECT outcome_id FROM outcomes AS same
        WHERE same.request_id = reported.request_id
        ORDER BY same.reported_at DESC, outcome_id DESC
        LIMIT 1
    )
ORDER BY reported.observed_at, reported.request_id
LIMIT :most
"""  # noqa: S608 (our own names)
_FIND_PAIRS = _FIND_OUTCOMES.format(condition=_IS_PAIR)
_FIND_GROUPS = _FIND_OUTCOMES.format(condition="model_version IN (:current, :candidate)")

Row = Sequence[Any]


def describe_pairs(tools: Tools, window: Window, current: str, candidate: str) -> dict[str, Any]:
    """Describe the candidate's predictions in a shadow beside the answers; only their number for a few.

    Figures of fewer would show the predictions of single cases.
    """
    quantiles = {"difference": list(DIFFERENCE_QUANTILES.values()), "latency": list(LATENCY_QUANTILES.values())}
    [[count, mean, differences, judged, beyond, width, own_width, answer_ms, own_ms]] = tools.select(
        _DESCRIBE_PAIRS, current=current, candidate=candidate, **quantiles, **window.bounds
    )
    if count < LEAST_OUTCOMES:
        return {"pairs": count}
    return {
        "pairs": count,
        "difference": {"mean": mean, **_name(DIFFERENCE_QUANTILES, differences)},
        "beyond_interval": {"count": beyond, "of": judged},
        "mean_width": {"current": width, "candidate": own_width},
        "ms": {"answer": _name(LATENCY_QUANTILES, answer_ms), "candidate": _name(LATENCY_QUANTILES, own_ms)},
    }


def describe_groups(tools: Tools, window: Window, current: str, candidate: str) -> dict[str, Any]:
    """Describe the answers of both versions in a canary; only the number of few."""
    latency = list(LATENCY_QUANTILES.values())
    rows = tools.select(_DESCRIBE_GROUPS, current=current, candidate=candidate, latency=latency, **window.bounds)
    found = {row[0]: row[1:] for row in rows}
    groups: dict[str, Any] = {}
    for role, version in (("current", current), ("candidate", candidate)):
        count, mean, width, answer_ms = found.get(version, (0, None, None, None))
        groups[role] = {"count": count}
        if count >= LEAST_OUTCOMES:
            groups[role] |= {"mean": mean, "mean_width": width, "ms": _name(LATENCY_QUANTILES, answer_ms)}
    total = groups["current"]["count"] + groups["candidate"]["count"]
    return {**groups, "candidate_share": groups["candidate"]["count"] / total if total else None}


def find_pairs(tools: Tools, since: datetime, current: str, candidate: str) -> Pairs:
    """The outcomes of the pairs that count, in observed order. Each outcome counts as in the report."""
    rows = _find(tools, _FIND_PAIRS, since, current, candidate)
    return Pairs(_gather(rows, 4), _gather(rows, 8))


def find_groups(tools: Tools, since: datetime, current: str, candidate: str) -> tuple[Evaluated, Evaluated]:
    """The outcomes of the answers of either version."""
    rows = _find(tools, _FIND_GROUPS, since, current, candidate)
    first, second = ([row for row in rows if row[0] == version] for version in (current, candidate))
    return _gather(first, 4), _gather(second, 4)


def _find(tools: Tools, statement: str, since: datetime, current: str, candidate: str) -> list[Row]:
    limits = {"most_read": MOST_READ, "most": MOST_OUTCOMES}
    return tools.select(statement, since=since, current=current, candidate=candidate, **limits)


def _gather(rows: Sequence[Row], place: int) -> Evaluated:
    """The prediction, interval and coverage at a place of the rows, with the outcome."""
    predictions, lower, upper, values = (
        np.array([row[column] for row in rows], float) for column in (place, place + 1, place + 2, 3)
    )
    coverages = [row[place + 3] for row in rows]
    return Evaluated(
        predictions=predictions,
        lower=lower,
        upper=upper,
        values=values,
        inside=np.array([coverage is not None for coverage in coverages], bool),
        created_at=[row[1].astimezone(UTC) for row in rows],
        observed_at=[row[2].astimezone(UTC) for row in rows],
        coverage=min((coverage for coverage in coverages if coverage is not None), default=None),
    )


def _name(names: Mapping[str, float], values: Sequence[float]) -> dict[str, float]:
    return dict(zip(names, values, strict=True))
