"""The variables that Powertools reads: none of them makes a function write measurements."""

import json
import os
import subprocess
import sys
from typing import Any
from uuid import uuid4

import pytest
from aws_lambda_powertools.shared import constants

from lambda_app.http.schemas import EXAMPLE_REQUEST
from local.aws_services import REPOSITORY
from local.environment import DATABASE_USERS, Function
from tests.events import Context, load_event, make_event
from tests.functional.helpers import Queues, Wire

# As in test_observability.py: a search for these six digits finds only a leak.
BODY = json.dumps({**EXAMPLE_REQUEST, "bmi": 31.870319})
# "1" is true for a switch, and all for a share.
VARIABLES = {
    name: "DEBUG" if name == "POWERTOOLS_LOG_LEVEL" else "1"
    for name in sorted({value for value in vars(constants).values() if str(value).startswith("POWERTOOLS_")})
}

SCRIPT = """
import json, sys
from lambda_app import handler
from tests.events import Context
answer = getattr(handler, sys.argv[1])(json.loads(sys.stdin.read()), Context())
assert answer.get("statusCode", 200) == 200, answer
"""


def make_events() -> dict[Function, dict[str, Any]]:
    """An event for each function that gets measurements; replay gets a record and something else."""
    replay = load_event("replay")
    [record] = replay["Records"]
    message = json.loads(record["body"])
    message["records"][0]["request_id"] = str(uuid4())
    message["records"][0]["features"]["bmi"] = 31.870319
    replay["Records"] = [{**record, "body": json.dumps(message)}, {**record, "messageId": str(uuid4()), "body": BODY}]
    return {"api": make_event("POST", "/predict", BODY), "replay": replay}


# It warns of the two that are for developers.
@pytest.mark.filterwarnings("ignore:POWERTOOLS_DE:UserWarning")
@pytest.mark.parametrize("name", VARIABLES)
def test_no_variable_makes_an_event_be_written(
    name: str, wire: Wire, queues: Queues, capfd: pytest.CaptureFixture[str]
) -> None:
    for function, event in make_events().items():
        assert "31.870319" in json.dumps(event)
        wire(function, **{name: VARIABLES[name]}, **queues.environment)(event, Context())
    output = capfd.readouterr()
    assert "model loaded" in output.out
    assert "870319" not in output.out + output.err


@pytest.mark.parametrize("function", ["api", "replay"])
@pytest.mark.parametrize("unset", ["none", "POWERTOOLS_METRICS_DISABLED"])
def test_all_variables_from_the_start_make_no_event_be_written(
    function: Function, unset: str, environment: dict[str, str], queues: Queues
) -> None:
    assert {"POWERTOOLS_LOGGER_LOG_EVENT", "POWERTOOLS_DEBUG", "POWERTOOLS_LOGGER_SAMPLE_RATE"} <= set(VARIABLES)
    variables = {name: value for name, value in VARIABLES.items() if name != unset}
    variables["DATABASE_USER"] = DATABASE_USERS[function]
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, function],
        cwd=REPOSITORY,
        env={**os.environ, **environment, **queues.environment, **variables},
        input=json.dumps(make_events()[function]),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout
    assert "870319" not in done.stdout + done.stderr
