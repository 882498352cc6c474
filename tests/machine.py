"""Programs and rights that a test needs from the machine; a missing one is named in one line."""

import os

import pytest

from local.ports import find_free_ports


def require(condition: object, missing: str) -> None:
    """Skip the test unless the condition holds; with REQUIRE_ALL=1, as in CI, fail it."""
    if condition:
        return
    if os.environ.get("REQUIRE_ALL") == "1":
        pytest.fail(f"REQUIRE_ALL is set, and missing is: {missing}")
    pytest.skip(f"missing: {missing}")


def find_port_row() -> int:
    """The first of three free ports in a row, as the local stack takes them."""
    while True:
        first, _, last = find_free_ports(3)
        if last == first + 2:
            return first
