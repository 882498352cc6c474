"""The variables that Powertools reads: none of them makes a function write measurements."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from aws_lambda_powertools.shared import constants

from lambda_app.http.schemas import EXAMPLE_REQUEST
from lambda_app.telemetry import LambdaHandler
from local.environment import DATABASE_USERS, Function
from tests.events import Context, load_event, make_event
from tests.queues import QueuePair

ROOT = Path(__file__).parents[2]
# As in test_observability.py: a search for these six digits finds only a leak.
BODY = json.dumps({**EXAMPLE_REQUEST, "bmi": 31.870319})
SPECIAL = {"POWERTOOLS_LOG_LEVEL": "DEBUG"}
# "1" is true where a switch is read, and all where a share is.
VARIABLES = {
    name: SPECIAL.get(name, "1")
    for name in sorted({value for value in vars(constants).values() if str(value).startswith("POWERTOOLS_")})
}

SCRIPT = """
import json, os, sys
sys.path.insert(0, sys.argv[1])
from lambda_app import handler
from tests.events import Context
answer = getattr(handler, sys.argv[2])(json.loads(sys.stdin.read()), Context())
assert answer.get("statusCode", 200) == 200, answer
"""


def make_events() -> dict[Function, dict[str, Any]]:
    """One for each function that measurements come to; replay gets a record and what is none."""
    replay = load_event("replay")
    [record] = replay["Records"]
    message = json.loads(record["body"])
    message["records"][0]["request_id"] = str(uuid4())
    message["records"][0]["features"]["bmi"] = 31.870319
    replay["Records"] = [{**record, "body": json.dumps(message)}, {**record, "messageId": str(uuid4()), "body": BODY}]
    return {"api": make_event("POST", "/predict", BODY), "replay": replay}


def test_the_variables_are_those_of_powertools() -> None:
    assert {"POWERTOOLS_LOGGER_LOG_EVENT", "POWERTOOLS_DEBUG", "POWERTOOLS_LOGGER_SAMPLE_RATE"} <= set(VARIABLES)
    assert all("31.870319" in json.dumps(event) for event in make_events().values())


# It warns of the two that are for developers.
@pytest.mark.filterwarnings("ignore:POWERTOOLS_DE:UserWarning")
@pytest.mark.parametrize("name", VARIABLES)
def test_no_variable_makes_an_event_be_written(
    name: str, wire: Callable[..., LambdaHandler], own_queues: QueuePair, capfd: pytest.CaptureFixture[str]
) -> None:
    for function, event in make_events().items():
        handler = wire(function, **{name: VARIABLES[name]}, **own_queues.environment)
        handler(event, Context())
    output = capfd.readouterr()
    assert "model loaded" in output.out
    assert "870319" not in output.out + output.err


@pytest.mark.parametrize("function", ["api", "replay"])
@pytest.mark.parametrize("unset", [set(), {"POWERTOOLS_METRICS_DISABLED"}])
def test_nor_do_all_of_them_from_the_start(
    function: Function, unset: set[str], environment: dict[str, str], own_queues: QueuePair
) -> None:
    variables = {name: value for name, value in VARIABLES.items() if name not in unset}
    variables["DATABASE_USER"] = DATABASE_USERS[function]
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, str(ROOT), function],
        env={**os.environ, **environment, **own_queues.environment, **variables},
        input=json.dumps(make_events()[function]),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout
    assert "870319" not in done.stdout + done.stderr
