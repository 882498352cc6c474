"""Samples of what the task compare answers: the figures are the monitor's own, of outcomes that are drawn."""

from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np

from lambda_app.monitor.differences import (
    Pairs,
    compare_coverages,
    compare_errors,
    compare_unpaired_coverages,
    compare_unpaired_errors,
)
from lambda_app.monitor.figures import Evaluated
from tests.reports import GENERATED_AT, VERSION, write_time

CANDIDATE = "20261115T090000Z-7c6d5e4f"
SINCE = GENERATED_AT - timedelta(days=21)
_SPREAD, _HALF = 50.0, 88.0


def make_shadow(outcomes: int, *, current: float = 20.0, candidate: float = 1.0, seed: int = 1) -> dict[str, Any]:
    """A shadow of which `outcomes` are known; the predictions are about so far from the best ones."""
    generator = np.random.default_rng(seed)
    values = generator.normal(150, _SPREAD, outcomes)
    pairs = Pairs(*(_evaluate(150 + generator.normal(0, apart, outcomes), values) for apart in (current, candidate)))
    return _make(
        "shadow",
        1.0,
        {
            "pairs": 2_480,
            "difference": {"mean": -1.1, "p5": -33.4, "p25": -14.2, "p50": -1.3, "p75": 12.7, "p95": 31.9},
            "beyond_interval": {"count": 12, "of": 2_431},
            "mean_width": {"current": 178.2, "candidate": 171.6},
            "ms": {
                "answer": {"p50": 6.31, "p95": 11.2, "p99": 24.8},
                "candidate": {"p50": 0.412, "p95": 0.77, "p99": 1.31},
            },
        },
        {"pairs": outcomes},
        compare_errors(pairs),
        compare_coverages(pairs),
        least=10,
    )


def make_canary(current: int, candidate: int, *, seed: int = 1) -> dict[str, Any]:
    """A canary of which so many outcomes of both versions are known; the models are equally good."""
    generator = np.random.default_rng(seed)
    groups = [
        _evaluate(150 + generator.normal(0, 10, count), generator.normal(150, _SPREAD, count))
        for count in (current, candidate)
    ]
    return _make(
        "canary",
        0.05,
        {
            "current": _describe_group(5_680, 178.2, 6.1),
            "candidate": _describe_group(302, 171.6, 6.3),
            "candidate_share": 302 / 5_982,
        },
        {"current": current, "candidate": candidate},
        compare_unpaired_errors(groups[0], groups[1]),
        compare_unpaired_coverages(groups[0], groups[1]),
        least=50,
    )


def _make(
    mode: str, share: float, made: dict[str, Any], known: dict[str, int], error: Any, coverage: Any, *, least: int
) -> dict[str, Any]:
    return {
        **{"model_version": CANDIDATE, "current_version": VERSION, "mode": mode, "share": share},
        "since": write_time(SINCE),
        "predictions": {"from": write_time(SINCE), "to": write_time(GENERATED_AT), **made},
        **{"outcomes": known, "least_outcomes": least, "most_outcomes": 50_000, "confidence": 0.95},
        "tolerance": {"error": 0.02, "coverage": 0.02},
        **{"absolute_error": error, "coverage": coverage, "verdict": error["verdict"] if error else "unclear"},
    }


def _describe_group(count: int, width: float, took: float) -> dict[str, Any]:
    latency = {"p50": took, "p95": 2 * took, "p99": 3.5 * took}
    return {"count": count, "mean": 151.2, "mean_width": width, "ms": latency}


def _evaluate(predictions: Any, values: Any) -> Evaluated:
    first = datetime(2026, 11, 8, tzinfo=UTC)
    times = [first + timedelta(minutes=20 * place) for place in range(len(values))]
    inside = np.ones(len(values), bool)
    return Evaluated(predictions, predictions - _HALF, predictions + _HALF, values, inside, times, times, 0.9)
