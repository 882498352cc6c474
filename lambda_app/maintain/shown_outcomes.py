"""Finds the outcomes of some predictions, wherever they are: in the table, in exported files, and in messages."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

import pyarrow.compute as pc

from lambda_app.maintain.exported import ExportedFiles, list_fields
from lambda_app.maintain.messages import find_items
from lambda_app.maintain.queued import QueuedOutcome
from lambda_app.maintain.tables import OUTCOMES
from lambda_app.maintain.tools import MaintenanceTools

# An outcome is reported after its prediction was made; so much for clocks that differ.
CLOCKS = timedelta(days=1)

_STORED = """
SELECT to_json(outcomes) FROM outcomes WHERE request_id = ANY(CAST(:ids AS uuid[])) ORDER BY reported_at, outcome_id
"""


def find_outcomes(tools: MaintenanceTools, predictions: Mapping[str, datetime]) -> list[dict[str, Any]]:
    """The outcomes of these request ids, given with the time of each prediction; those of files that no table has."""
    if not predictions:
        return []
    ids = sorted(predictions)
    found = [{"place": "table", **row} for [row] in tools.select(_STORED, ids=ids)]
    known = {outcome["outcome_id"] for outcome in found}
    first_day = (min(predictions.values()) - CLOCKS).date()
    files = ExportedFiles(tools.s3, tools.settings.records_bucket, OUTCOMES)
    for file in files.list_versions():
        if not file.is_current or file.day < first_day:
            continue
        rows = files.read_rows(file, pc.field("request_id").isin(ids))
        if rows and files.is_exported(file):
            found += [{"place": file.key, **list_fields(row)} for row in rows if row["outcome_id"] not in known]
    for name, url in tools.list_queues():
        queued, _ = find_items(
            tools.sqs, url, QueuedOutcome, lambda outcome: str(outcome.request_id) in predictions, tools.seconds_left
        )
        found += [{"place": name, **outcome.content} for outcome in queued]
    return found
