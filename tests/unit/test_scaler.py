"""scaler.json as the service reads it: a damaged one is refused with the reason, before the network is looked at."""

import json
from typing import Any

import pytest

from lambda_app.model.litert import LiteRtRuntime

SCALER = {"mean": [1.5] * 10, "scale": [2] * 10}


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"mean": [1.5] * 9}, "a list has 9 numbers, not 10"),
        ({"scale": [2] * 11}, "a list has 11 numbers, not 10"),
        ({"mean": None}, "a list of numbers is written as NoneType"),
        ({"mean": {}}, "a list of numbers is written as dict"),
        ({"mean": [[1.5] * 10]}, "a list has 1 numbers, not 10"),
        ({"mean": [*[1.5] * 9, [1.5]]}, "a number is written as list"),
        ({"mean": [*[1.5] * 9, "1.5"]}, "a number is written as str"),
        ({"mean": [*[1.5] * 9, True]}, "a number is written as bool"),
        ({"mean": [*[1.5] * 9, None]}, "a number is written as NoneType"),
        ({"mean": [*[1.5] * 9, float("nan")]}, "a number is not finite"),
        ({"scale": [*[2] * 9, float("inf")]}, "a number is not finite"),
        ({"scale": [*[2] * 9, 10**400]}, "a number is larger than any float"),
        ({"scale": [*[2] * 9, 0]}, "a scale is not above zero"),
        ({"scale": [*[2] * 9, -2]}, "a scale is not above zero"),
    ],
)
def test_a_damaged_scaler_is_refused_with_the_reason(change: dict[str, Any], reason: str) -> None:
    content = json.dumps(SCALER | change).encode()
    with pytest.raises(ValueError, match=rf"scaler\.json is not a scaler: ValueError\('{reason}'\)"):
        LiteRtRuntime({"scaler.json": content, "model.tflite": b""})


@pytest.mark.parametrize("content", [b"", b"\xff", b"null", b"1", b"[]", b"{}", b'{"mean": [1]', b'{"mean":' * 100_000])
def test_what_is_no_scaler_is_refused(content: bytes) -> None:
    with pytest.raises(ValueError, match=r"scaler\.json is not a scaler: "):
        LiteRtRuntime({"scaler.json": content, "model.tflite": b""})
