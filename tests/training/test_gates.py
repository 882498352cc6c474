"""The gates: each figure at its limit and just past it."""

import copy
import re
from typing import Any

import pytest

from training.gates import find_failures

GOOD: dict[str, Any] = {
    "parity": {"largest_difference": 9e-4},
    "outcomes": {"minimum": 20.0, "maximum": 320.0},
    "metrics": {"held_out": {"rmse": 54.8, "coverage": 0.861}, "ridge": {"rmse": 54.8}},
    "interval": {"coverage": 0.9},
}


def change(path: str, value: object) -> dict[str, Any]:
    manifest = copy.deepcopy(GOOD)
    *parents, name = path.split(".")
    part = manifest
    for parent in parents:
        part = part[parent]
    part[name] = value
    return manifest


def test_a_version_at_every_limit_passes() -> None:
    assert find_failures(GOOD) == []
    assert find_failures(change("metrics.held_out.coverage", 0.939)) == []


@pytest.mark.parametrize(
    ("path", "value", "reason"),
    [
        ("parity.largest_difference", 0.00091, "its two forms differ by 0.00091, more than 0.0009"),
        ("outcomes.maximum", 310.0, "its two forms differ by 0.0009, more than 0.00087"),
        ("outcomes.minimum", None, "a number as outcomes.minimum$"),
        ("parity.largest_difference", float("nan"), "its manifest lacks .* a number as parity.largest_difference"),
        ("interval.coverage", float("inf"), "a number as interval.coverage$"),
        ("metrics.held_out.rmse", 54.81, "its RMSE of 54.81 on held-out patients is worse than .* 54.80"),
        ("metrics.ridge.rmse", float("nan"), "its manifest lacks .* a number as metrics.ridge.rmse"),
        ("metrics.held_out.coverage", 0.859, "its intervals hold 85.9% .* further than 4% from the 90%"),
        ("metrics.held_out.coverage", 0.941, "its intervals hold 94.1%"),
        ("metrics.held_out.coverage", None, "a number as metrics.held_out.coverage$"),
        ("metrics.held_out.coverage", "0.9", "a number as metrics.held_out.coverage$"),
        ("metrics.held_out", [], "a number as metrics.held_out.rmse and metrics.held_out.coverage$"),
        ("parity", {}, "its manifest lacks what is needed to judge it, a number as parity.largest_difference$"),
    ],
)
def test_a_failure_is_told_with_its_limit(path: str, value: object, reason: str) -> None:
    [failure] = find_failures(change(path, value))
    assert re.search(reason, failure), failure


def test_every_failure_is_told() -> None:
    manifest = change("metrics.held_out", {"rmse": 60.0, "coverage": 0.5})
    assert len(find_failures(manifest)) == 2
