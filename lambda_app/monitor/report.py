"""The report: assembles all of it for a time. Only the database, the manifests and this time decide what is in it."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from lambda_app.errors import BundleError
from lambda_app.model.bundle import Pointer
from lambda_app.monitor.bucket import ReportBucket
from lambda_app.monitor.drift import LEAST_CASES, compare_columns, find_alpha
from lambda_app.monitor.promises import Promise, read_pointer, read_promise
from lambda_app.monitor.queries import (
    MOST_OUTCOMES,
    Window,
    count_columns,
    count_predictions,
    find_outcomes,
    list_versions,
)
from lambda_app.monitor.reference import Reference
from lambda_app.monitor.sentinel import THRESHOLD
from lambda_app.monitor.trial import describe_trial
from lambda_app.monitor.versions import (
    choose_grid,
    count_cells,
    describe_version,
    find_due_window,
)
from lambda_app.tasks import Tools

FORMAT = 1


def make_report(tools: Tools, bucket: ReportBucket, now: datetime) -> dict[str, Any]:
    """Return the report; raises one of DATABASE_ERRORS, or botocore's errors."""
    settings = tools.settings
    window = Window(now - timedelta(days=settings.monitor_window_days), now)
    pointer, fault = _find_pointer(bucket)
    current = pointer.version if pointer else None
    outcomes = find_outcomes(tools)
    versions = sorted(list_versions(tools, window) | outcomes.keys() | ({current} if current else set()))
    promises = {
        version: read_promise(bucket, version, pointer.manifest_sha256 if pointer and version == current else None)
        for version in versions
    }
    cells = count_predictions(tools, window, {version: choose_grid(promises[version]) for version in versions})
    described = []
    for version in versions:
        promise, evaluated = promises[version], outcomes.get(version)
        section = describe_version(promise, cells[version], evaluated, window, settings.coverage_tolerance)
        due = _describe_due(tools, version, find_due_window(section["delay_days"], window))
        described.append({"model_version": version, "is_current": version == current, **section, "due": due})
    drift: tuple[dict[str, Any] | None, str | None] = (None, fault)
    if current:
        drift = _describe_drift(tools, window, promises[current], count_cells(cells[current])["count"])
    return {
        "format": FORMAT,
        "generated_at": now.isoformat(),
        "settings": {
            "coverage": promises[current].coverage if current else None,
            "tolerance": settings.coverage_tolerance,
            "outcomes_to_false_alarm": THRESHOLD,
            "window_days": settings.monitor_window_days,
            "most_outcomes": MOST_OUTCOMES,
            "drift_false_alarms_per_year": settings.drift_false_alarms_per_year,
            "least_cases": LEAST_CASES,
        },
        "current_version": current,
        "versions": described,
        "candidate": describe_trial(tools, bucket, pointer, now) if pointer else None,
        "drift": drift[0],
        "note": drift[1],
    }


def _find_pointer(bucket: ReportBucket) -> tuple[Pointer | None, str | None]:
    """Return the pointer, or why there is none."""
    try:
        pointer = read_pointer(bucket)
    except BundleError as error:
        return None, str(error)
    return pointer, None if pointer else "no model is current"


def _describe_due(tools: Tools, version: str, window: Window | None) -> dict[str, Any] | None:
    if window is None:
        return None
    return {**count_cells(count_predictions(tools, window, {version: []})[version]), **window.describe()}


def _describe_drift(
    tools: Tools, window: Window, promise: Promise, predictions: int
) -> tuple[dict[str, Any] | None, str | None]:
    """Return the comparison with the reference, and why there is none or why nothing was compared."""
    if not promise.references:
        return None, f"{promise.version}: {promise.fault}"
    references = promise.references
    counts = count_columns(tools, window, promise.version, references)
    cases = sum(counts[-1])
    alpha = find_alpha(tools.settings.drift_false_alarms_per_year)
    tests = _describe_tests(references, counts, alpha) if cases >= LEAST_CASES else []
    note = None if tests else f"{cases} cases are too few to be compared, {LEAST_CASES} are needed"
    drift = {
        "model_version": promise.version,
        **window.describe(),
        "predictions": predictions,
        "cases": cases,
        "least_cases": LEAST_CASES,
        "is_alarm": any(test["is_drift"] for test in tests),
        "alpha": alpha,
        "tests": tests,
    }
    return drift, note


def _describe_tests(
    references: Sequence[Reference], counts: Sequence[Sequence[int]], alpha: float
) -> list[dict[str, Any]]:
    return [
        {
            "name": reference.name,
            "kind": reference.kind,
            "cases": found.cases,
            "p": found.p,
            "adjusted_p": found.adjusted_p,
            "cramers_v": found.cramers_v,
            "least_v": found.least_v,
            "psi": found.psi,
            "is_drift": found.is_drift,
            "values" if reference.has_values else "edges": list(reference.marks),
            "reference": list(reference.counts),
            "window": list(window),
        }
        for reference, window, found in zip(references, counts, compare_columns(references, counts, alpha), strict=True)
    ]
