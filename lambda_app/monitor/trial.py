"""The trial of a candidate: since when the pointer names it, and how it compares with the current version."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from lambda_app.model.bundle import POINTER_KEY, SHADOW, Candidate, Pointer
from lambda_app.monitor.bucket import ReportBucket
from lambda_app.monitor.differences import (
    COVERAGE_TOLERANCE,
    ERROR,
    ERROR_TOLERANCE,
    LEAST_UNPAIRED,
    compare_coverages,
    compare_errors,
    compare_unpaired_coverages,
    compare_unpaired_errors,
)
from lambda_app.monitor.figures import LEAST_OUTCOMES
from lambda_app.monitor.queries import Window
from lambda_app.monitor.trial_queries import (
    MOST_OUTCOMES,
    describe_groups,
    describe_pairs,
    find_groups,
    find_pairs,
)
from lambda_app.tasks import Tools

# So many entries of the history are read to find the beginning.
_MOST_ENTRIES = 50


def describe_trial(tools: Tools, bucket: ReportBucket, pointer: Pointer, now: datetime) -> dict[str, Any] | None:
    """Compare the candidate of the pointer with the current version; None without a candidate.

    Raises one of DATABASE_ERRORS, or botocore's errors.
    """
    candidate = pointer.candidate
    if candidate is None:
        return None
    starts = now - timedelta(days=tools.settings.monitor_window_days)
    since = find_beginning(bucket, pointer.version, candidate) or starts
    window = Window(max(since, starts), now)
    versions = (pointer.version, candidate.version)
    if candidate.mode == SHADOW:
        made = describe_pairs(tools, window, *versions)
        pairs = find_pairs(tools, since, *versions)
        known: dict[str, Any] = {"pairs": len(pairs.current)}
        error, coverage = compare_errors(pairs), compare_coverages(pairs)
    else:
        made = describe_groups(tools, window, *versions)
        groups = find_groups(tools, since, *versions)
        known = {"current": len(groups[0]), "candidate": len(groups[1])}
        error, coverage = compare_unpaired_errors(*groups), compare_unpaired_coverages(*groups)
    return {
        "model_version": candidate.version,
        "current_version": pointer.version,
        "mode": candidate.mode,
        "share": candidate.share,
        "since": since.isoformat(),
        "predictions": {**window.describe(), **made},
        "outcomes": known,
        "least_outcomes": LEAST_OUTCOMES if candidate.mode == SHADOW else LEAST_UNPAIRED,
        "most_outcomes": MOST_OUTCOMES,
        "confidence": 1 - ERROR,
        "tolerance": {"error": ERROR_TOLERANCE, "coverage": COVERAGE_TOLERANCE},
        "absolute_error": error,
        "coverage": coverage,
        "verdict": error["verdict"] if error else "unclear",
    }


def find_beginning(bucket: ReportBucket, current: str, candidate: Candidate) -> datetime | None:
    """Return when the pointer began to name both versions in this way; None if the history does not say.

    In a shadow another share changes nothing. In a canary it does: the cases of both versions must be of the same time.
    """
    beginning = None
    sequence = _read(bucket, POINTER_KEY).get("sequence")
    for _ in range(_MOST_ENTRIES):
        if type(sequence) is not int or sequence < 1:
            break
        entry = _read(bucket, f"models/history/{sequence:08d}.json")
        if not _is_same(entry.get("to"), current, candidate):
            break
        try:
            beginning = datetime.fromisoformat(entry["at"]).astimezone(UTC)
        except (KeyError, TypeError, ValueError):
            break
        sequence = entry.get("from_sequence")
    return beginning


def _is_same(state: Any, current: str, candidate: Candidate) -> bool:
    """Return True for a state of the history in which both versions are tried in this way."""
    if not isinstance(state, Mapping) or state.get("version") != current:
        return False
    tried = state.get("candidate")
    if not isinstance(tried, Mapping) or tried.get("version") != candidate.version:
        return False
    is_same_share = candidate.mode == SHADOW or tried.get("share") == candidate.share
    return tried.get("mode") == candidate.mode and is_same_share


def _read(bucket: ReportBucket, key: str) -> Mapping[str, Any]:
    """Return a JSON object; an empty one where there is none that can be read."""
    content = bucket.read(key)
    try:
        found = json.loads(content or b"{}")
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, Mapping) else {}
