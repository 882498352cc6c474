"""The relations between the measurements."""

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
