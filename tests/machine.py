"""What a test needs from the machine: where it is missing, one line says so."""

import os

import pytest


def require(condition: object, missing: str) -> None:
    """Skip the test unless the condition holds; with REQUIRE_ALL=1, as in CI, fail it."""
    if condition:
        return
    if os.environ.get("REQUIRE_ALL") == "1":
        pytest.fail(f"REQUIRE_ALL is set, and missing is: {missing}")
    pytest.skip(f"missing: {missing}")
