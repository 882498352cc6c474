"""Strict numbers from JSON, because Python accepts NaN, infinities and integers of any length."""

from collections.abc import Sequence
from math import isfinite
from typing import Any


def read_number(value: Any) -> float:
    """Return the number as a float; raises ValueError for text, booleans, null, NaN and infinities."""
    [number] = read_numbers([value])
    return number


def read_numbers(values: Any, length: int | None = None) -> Sequence[float]:
    """Return a list of numbers as floats; raises ValueError for other values and another length."""
    if not isinstance(values, list):
        raise ValueError(f"a list of numbers is written as {type(values).__name__}")
    if length is not None and len(values) != length:
        raise ValueError(f"a list has {len(values)} numbers, not {length}")
    if others := {*map(type, values)} - {int, float}:
        raise ValueError(f"a number is written as {', '.join(sorted(kind.__name__ for kind in others))}")
    try:
        numbers = list(map(float, values))
    except OverflowError as error:
        raise ValueError("a number is larger than any float") from error
    if not all(map(isfinite, numbers)):
        raise ValueError("a number is not finite")
    return numbers


def read_count(value: Any) -> int:
    """Return a whole number from zero; raises ValueError for anything else."""
    if type(value) is not int or value < 0:
        raise ValueError("a count is not a whole number from zero")
    return value
