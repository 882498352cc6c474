"""Numbers out of JSON are taken as JSON writes them, and nothing that merely looks like one."""

import json
from typing import Any

import pytest

from lambda_app.model.json_numbers import read_count, read_number, read_numbers

NO_NUMBERS = ["null", "true", '"1"', "[1]", "{}", "NaN", "Infinity", "-Infinity", "1e999", "1" + "0" * 400]


@pytest.mark.parametrize(("text", "number"), [("0", 0.0), ("-1.5", -1.5), ("1e300", 1e300), ("12", 12.0)])
def test_a_number_is_read_as_a_float(text: str, number: float) -> None:
    found = read_number(json.loads(text))
    assert (found, type(found)) == (number, float)


@pytest.mark.parametrize("text", NO_NUMBERS)
def test_what_is_no_finite_number_is_refused_with_the_reason(text: str) -> None:
    for read in (read_number, lambda value: read_numbers([1, value])):
        with pytest.raises(ValueError, match=r"a number is (written as|not finite|larger than any float)"):
            read(json.loads(text))


@pytest.mark.parametrize("values", [None, {"0": 1}, "123", 5])
def test_what_is_no_list_is_refused(values: Any) -> None:
    with pytest.raises(ValueError, match="a list of numbers is written as"):
        read_numbers(values)


def test_a_list_of_another_length_is_refused() -> None:
    assert read_numbers([1, 2], 2) == [1.0, 2.0]
    with pytest.raises(ValueError, match="a list has 2 numbers, not 3"):
        read_numbers([1, 2], 3)


@pytest.mark.parametrize("text", [*NO_NUMBERS[:-1], "-1", "1.0"])
def test_what_is_no_count_is_refused(text: str) -> None:
    assert read_count(json.loads("0")) == 0
    with pytest.raises(ValueError, match="a count is not a whole number from zero"):
        read_count(json.loads(text))
