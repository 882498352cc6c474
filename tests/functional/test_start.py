"""The price of a start, held without a clock: what a function imports until its first answer."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]

# Which of these a first prediction has no use for; each costs from 50 ms (boto3's clients half a second) to seconds.
HEAVY = {
    "boto3",
    "botocore.session",
    "s3transfer",
    "urllib3",
    "requests",
    "tensorflow",
    "keras",
    "sklearn",
    "scipy",
    "joblib",
    "matplotlib",
    "h5py",
    "prometheus_client",
    "pydantic.v1.main",
    "aws_lambda_powertools.utilities.batch",
}

# 635 modules with 11.0 MB of bytecode on Python 3.11. boto3 would bring 160 modules more; the room that is left is for
# newer versions of what is here, and for other versions of Python.
MAXIMUM_MODULES = 680
MAXIMUM_BYTECODE_MB = 12.0

SCRIPT = """
import json, os, sys
sys.path.insert(0, sys.argv[1])
from lambda_app.handler import api
from tests.events import Context, load_event
assert api(load_event("predict"), Context())["statusCode"] == 200
ours = {"tests", "tests.events"}
loaded = {name: module for name, module in sys.modules.items() if name not in ours}
caches = {getattr(module, "__cached__", None) for module in loaded.values()} - {None}
print(json.dumps({
    "modules": sorted(loaded),
    "bytecode_mb": sum(os.path.getsize(path) for path in caches if os.path.exists(path)) / 1e6,
}))
"""


@pytest.fixture(scope="module")
def loaded(environment: dict[str, str]) -> dict[str, Any]:
    """What a fresh process has loaded when it has answered its first request."""
    command = [sys.executable, "-c", SCRIPT, str(ROOT)]
    # Twice: the first writes what bytecode is missing.
    for _ in range(2):
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    document: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return document


def test_nothing_heavy_is_imported(loaded: dict[str, Any]) -> None:
    assert "lambda_app.handler" in loaded["modules"]
    assert HEAVY & set(loaded["modules"]) == set()


def test_imports_stay_within_their_budget(loaded: dict[str, Any]) -> None:
    assert len(loaded["modules"]) <= MAXIMUM_MODULES
    assert loaded["bytecode_mb"] <= MAXIMUM_BYTECODE_MB
