"""Finds the predictions of outcomes that came before them: a prediction may have waited in the queue."""

from datetime import datetime
from uuid import UUID

from lambda_app.maintain.tools import MaintenanceTools

# A prediction waits for 14 days in either queue. What found none in this time is of no prediction of ours, or of one
# that has left the table, and is not looked at again.
DAYS = 60
ROWS_AT_ONCE = 1000
# Time for the work that comes after.
SPARE_SECONDS = 60

_FIND_FIRST = "SELECT now() - make_interval(days => :days)"
_LINK = """
WITH chunk AS MATERIALIZED (
    SELECT outcome_id, request_id, reported_at FROM outcomes
    WHERE predicted_at IS NULL
        AND (reported_at, outcome_id) > (CAST(:reported_at AS timestamptz), CAST(:outcome_id AS uuid))
    ORDER BY reported_at, outcome_id
    LIMIT :most
), found AS (
    SELECT outcome_id, min(created_at) AS created_at FROM chunk JOIN predictions USING (request_id) GROUP BY outcome_id
), linked AS (
    UPDATE outcomes SET predicted_at = found.created_at FROM found
    WHERE outcomes.outcome_id = found.outcome_id AND predicted_at IS NULL
    RETURNING 1
)
SELECT (SELECT count(*) FROM linked), reported_at, outcome_id FROM chunk
ORDER BY reported_at DESC, outcome_id DESC LIMIT 1
"""


def link_outcomes(tools: MaintenanceTools) -> int:
    """Set predicted_at of the outcomes of the last days whose prediction is recorded by now; returns how many."""
    [[reported_at]] = tools.select(_FIND_FIRST, days=DAYS)
    place: tuple[datetime, UUID] = reported_at, UUID(int=0)
    linked = 0
    while tools.seconds_left() > SPARE_SECONDS:
        rows = tools.select(_LINK, reported_at=place[0], outcome_id=place[1], most=ROWS_AT_ONCE)
        if not rows:
            break
        [[count, *last]] = rows
        linked += count
        place = last[0], last[1]
    return linked
