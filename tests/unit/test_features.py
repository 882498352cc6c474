"""What the table itself knows: relations between measurements, and what the target can be."""

import dataclasses
import math

import pytest

from problem.table import TABLE
from training.data import load_rows

EXAMPLE = {feature.name: feature.example for feature in TABLE.features}
NAMES = list(EXAMPLE)


def find_broken(patient: dict[str, float]) -> list[str]:
    return [relation.field for relation in TABLE.relations if not relation.holds(patient)]


@pytest.mark.parametrize(
    ("changed", "broken"),
    [
        ({}, []),
        ({"s1": 97.1, "s2": 234.5, "s3": 93.5, "s4": 1.04}, ["s1"]),
        ({"s1": 131.2, "s4": 3.45}, []),  # nothing but LDL and HDL: just possible
        ({"s1": 131.1, "s4": 3.45}, ["s1"]),
        ({"s1": 152, "s4": 4.75}, []),
        ({"s1": 152, "s4": 4.76}, ["s4"]),
        ({"s1": 152, "s4": 3.24}, ["s4"]),
        ({"s2": 140, "s4": 9}, ["s1", "s4"]),
    ],
)
def test_measurements_that_contradict_each_other_are_found(changed: dict[str, float], broken: list[str]) -> None:
    assert find_broken({**EXAMPLE, **changed}) == broken


def test_no_patient_of_the_study_breaks_a_relation() -> None:
    patients = [dict(zip(NAMES, row, strict=True)) for row in load_rows().features.tolist()]
    assert [find_broken(patient) for patient in patients] == [[]] * 442
    # The tolerance is what the roundings make, not what it takes to let the data pass: halves from s4 alone.
    assert 0.6 < max(abs(patient["s4"] - patient["s1"] / patient["s3"]) for patient in patients) < 0.65


def test_a_message_names_the_limit_and_no_value() -> None:
    messages = {relation.field: relation.message for relation in TABLE.relations}
    assert messages == {
        "s1": "is below s2 + s3, and total cholesterol is at least LDL and HDL together",
        "s4": "is more than 0.75 away from s1 / s3, which defines it",
    }


@pytest.mark.parametrize(("value", "possible"), [(-125.0, 0.0), (-0.0, 0.0), (0.0, 0.0), (151.0, 151.0), (9e9, 9e9)])
def test_the_score_is_cut_at_zero_and_nowhere_else(value: float, possible: float) -> None:
    assert TABLE.target.cut(value) == possible


def test_a_target_may_have_either_bound_or_none() -> None:
    assert dataclasses.replace(TABLE.target, minimum=None).cut(-125.0) == -125
    assert dataclasses.replace(TABLE.target, maximum=300.0).cut(1e9) == 300
    assert math.isnan(TABLE.target.cut(math.nan))
