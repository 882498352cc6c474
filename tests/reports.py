"""A sample of the report that the function monitor writes: every field, numbers that fit each other, no patient."""

import math
import random
from datetime import UTC, datetime, timedelta
from statistics import NormalDist
from typing import Any

from problem.table import TABLE

VERSION = "20261001T120000Z-0a1b2c3d"
EARLIER_VERSION = "20260801T120000Z-9f8e7d6c"
GENERATED_AT = datetime(2026, 11, 28, 1, 30, 7, tzinfo=UTC)
WINDOW_DAYS = 30
THRESHOLD = 10_000.0
PROMISED = {"rows": 442, "rmse": 53.9, "mae": 44.2, "bias": -0.3, "r2": 0.51, "coverage": 0.9, "mean_width": 178.0}
REFERENCE_COUNTS = [45, 44, 44, 44, 44, 45, 44, 44, 44, 44]


def make_report(*, drifted: tuple[str, ...] = (), misses: float = 0.1, seed: int = 1) -> dict[str, Any]:
    """Make a report of two versions; `drifted` features have moved, and `misses` is the current version's miss rate."""
    dice = random.Random(seed)
    current = make_version(VERSION, 620, misses, dice)
    return {
        "format": 1,
        "generated_at": write_time(GENERATED_AT),
        "settings": {
            **{"coverage": 0.9, "tolerance": 0.04, "outcomes_to_false_alarm": 10000, "window_days": WINDOW_DAYS},
            **{"most_outcomes": 10000, "drift_false_alarms_per_year": 1, "least_cases": 100},
        },
        "current_version": VERSION,
        "candidate": None,
        "versions": [{**make_version(EARLIER_VERSION, 240, 0.1, dice), "is_current": False}, current],
        "drift": make_drift(drifted, dice),
        "note": None,
    }


def write_time(time: datetime) -> str:
    return time.isoformat().replace("+00:00", "Z")


def make_version(version: str, outcomes: int, misses: float, dice: random.Random) -> dict[str, Any]:
    since = GENERATED_AT - timedelta(days=300)
    times = [since + timedelta(days=280 * index / outcomes) for index in range(outcomes)]
    errors = [dice.gauss(1.5, 53.0) for _ in times]
    # The first half keeps the promise.
    missed = [dice.random() < (misses if index >= outcomes / 2 else 0.1) for index in range(outcomes)]
    window_from = write_time(GENERATED_AT - timedelta(days=WINDOW_DAYS))
    due_to = GENERATED_AT - timedelta(days=41)
    due_from = write_time(due_to - timedelta(days=WINDOW_DAYS))
    return {
        "model_version": version,
        "is_current": True,
        "promised": dict(PROMISED),
        "predictions": {"count": 412, "with_outcome": 96, "from": window_from, "to": write_time(GENERATED_AT)},
        "due": {"count": 398, "with_outcome": 352, "from": due_from, "to": write_time(due_to)},
        "delay_days": {
            **{"p10": 12.0, "p50": 26.5, "p90": 41.0, "edges": [0.0, 10.0, 20.0, 30.0, 40.0, 60.0]},
            "counts": [round(outcomes * share) for share in (0.06, 0.22, 0.38, 0.23, 0.11)],
        },
        "live": make_figures(errors, missed),
        "thirds": make_thirds(errors, missed),
        "expected": {"count": 316, "mae": 43.7},
        "over_time": make_blocks(times, errors, missed),
        "sentinel": make_sentinel(times, missed),
    }


def make_figures(errors: list[float], missed: list[bool]) -> dict[str, Any]:
    """The six figures of some outcomes, with rough intervals: their formulas are the monitor's business."""
    count = len(errors)
    mae = sum(map(abs, errors)) / count
    rmse = math.sqrt(sum(error * error for error in errors) / count)
    covered = 1 - sum(missed) / count
    half = NormalDist().inv_cdf(0.975) / math.sqrt(count)
    return {
        "outcomes": count,
        "mae": around(mae, half * 0.75 * mae),
        "rmse": around(rmse, half * 0.7 * rmse),
        "bias": around(sum(errors) / count, half * rmse),
        "r2": around(1 - (rmse / 77) ** 2, half * 0.8),
        "coverage": around(covered, half * math.sqrt(covered * (1 - covered) + 0.01), highest=1.0),
        "mean_width": around(179.4, half * 12),
    }


def around(value: float, half: float, highest: float = math.inf) -> dict[str, float]:
    return {"value": value, "lower": value - half, "upper": min(value + half, highest)}


def make_thirds(errors: list[float], missed: list[bool]) -> list[dict[str, Any]]:
    edges = (None, 118.0, 181.0, None)
    third = len(errors) // 3
    return [
        {
            **{"from": edges[index], "to": edges[index + 1], "predictions": 137 + index, "with_outcome": 32},
            "promised": {**PROMISED, "rows": 147},
            "live": make_figures(errors[index * third :][:third], missed[index * third :][:third]),
        }
        for index in range(3)
    ]


def make_blocks(times: list[datetime], errors: list[float], missed: list[bool]) -> list[dict[str, Any]]:
    size = max(30, math.ceil(len(times) / 40))
    starts = range(0, len(times) - size + 1, size)
    return [
        {
            **{"from": write_time(times[start]), "to": write_time(times[start + size - 1])},
            **make_figures(errors[start : start + size], missed[start : start + size]),
        }
        for start in starts
    ]


def make_sentinel(times: list[datetime], missed: list[bool]) -> dict[str, Any]:
    """A plain e-detector with one bet; it begins anew after an alarm, as the monitor's does."""
    evidence, line, alarms = 0.0, [], []
    for index, (time, is_miss) in enumerate(zip(times, missed, strict=True)):
        evidence = (1 + evidence) * (0.28 / 0.14 if is_miss else 0.72 / 0.86)
        line.append([index + 1, write_time(time), min(evidence, THRESHOLD)])
        if evidence >= THRESHOLD:
            alarms.append({"outcome": index + 1, "observed_at": write_time(time)})
            evidence = 0.0
    every = math.ceil(len(line) / 400)
    return {
        **{"outcomes": len(times), "evidence": line[-1][2], "threshold": THRESHOLD, "is_alarm": bool(alarms)},
        **{"alarms": alarms, "line": line[::-1][::every][::-1]},
    }


def make_drift(drifted: tuple[str, ...], dice: random.Random) -> dict[str, Any]:
    tests = [make_test(feature.name, feature.name in drifted, dice) for feature in TABLE.features]
    tests.append(make_test("prediction", bool(drifted), dice) | {"kind": "prediction", "least_v": 0.15})
    return {
        "model_version": VERSION,
        "from": write_time(GENERATED_AT - timedelta(days=WINDOW_DAYS)),
        "to": write_time(GENERATED_AT),
        **{"predictions": 412, "cases": 399, "least_cases": 100, "is_alarm": bool(drifted), "alpha": 0.0027},
        "tests": tests,
    }


def make_test(name: str, is_drift: bool, dice: random.Random) -> dict[str, Any]:
    feature = next((feature for feature in TABLE.features if feature.name == name), None)
    choices = list(feature.choices) if feature else []
    reference = [235, 207] if choices else REFERENCE_COUNTS
    weights = [count * (1 + (0.22 * place if is_drift else 0)) for place, count in enumerate(reference)]
    window = [0] * len(reference)
    for place in dice.choices(range(len(reference)), weights, k=399):
        window[place] += 1
    low, high = (feature.example * 0.7, feature.example * 1.3) if feature else (80.0, 220.0)
    edges = [low + (high - low) * step / 8 for step in range(9)]
    shares = [(mine / 399, theirs / sum(reference)) for mine, theirs in zip(window, reference, strict=True)]
    return {
        **{"name": name, "kind": "feature", "cases": 399, "p": 2.1e-9 if is_drift else dice.uniform(0.1, 0.9)},
        **{"adjusted_p": 2.3e-8 if is_drift else 1.0, "cramers_v": 0.24 if is_drift else 0.06, "least_v": 0.1},
        "psi": sum((mine - theirs) * math.log(mine / theirs) for mine, theirs in shares),
        "is_drift": is_drift,
        **({"values": choices} if choices else {"edges": edges}),
        **{"reference": reference, "window": window},
    }
