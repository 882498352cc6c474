"""The function maintain: of an environment on AWS, or of the local stack."""

import contextlib
import getpass
import json
import re
import sys
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from botocore.config import Config
from botocore.exceptions import ConnectionClosedError, ReadTimeoutError, ResponseStreamingError

from deploy.environment import open_environment
from deploy.errors import explain_failures
from lambda_app.project import PREFIX
from local.maintain import connect_maintain, is_up
from records.errors import LostError, RecordsError

if TYPE_CHECKING:
    from types_boto3_lambda import LambdaClient

# Networks forget an idle connection after 350 seconds without telling either end. The function goes on without us.
WAIT_SECONDS = 300.0
LOST = (ConnectionClosedError, ReadTimeoutError, ResponseStreamingError)
# What the function says of its parameters, and how they are called here.
MUST = re.compile(r"\w+ must ")
OPTIONS = {
    "starts": "--from",
    "ends": "--to",
    **{name: f"--{name.replace('_', '-')}" for name in ("subject", "caller", "request_id", "reason")},
}
TIMEOUTS = ("Sandbox.Timedout", "Task timed out")

Maintain = Callable[[Mapping[str, Any]], dict[str, Any]]


def connect(env: str | None, local: bool) -> Maintain:
    """Return what sends events to the function, with the caller's name as `by`.

    Without an environment it is the local stack's, if that is up.
    """
    if env and local:
        raise RecordsError("--env and --local exclude each other")
    if env:
        return _connect_remote(env)
    if not local and not is_up():
        raise RecordsError("which records? Name an environment by --env, or start the local stack by `make run`")
    maintain = connect_maintain()
    by = f"{getpass.getuser()} on this machine"
    return lambda event: _read(maintain({"by": by, **event}))


def _connect_remote(env: str) -> Maintain:
    # What it says is no part of the output.
    with contextlib.redirect_stdout(sys.stderr):
        environment = open_environment(env)
    with explain_failures("STS"):
        by = environment.session.client("sts").get_caller_identity()["Arn"]
    config = Config(read_timeout=WAIT_SECONDS, tcp_keepalive=True, retries={"total_max_attempts": 1})
    client = environment.session.client("lambda", config=config)
    name = f"{PREFIX}-{env}-maintain"
    return lambda event: _read(_invoke(client, name, {"by": by, **event}))


def _invoke(client: "LambdaClient", name: str, event: Mapping[str, Any]) -> dict[str, Any]:
    try:
        with explain_failures(
            "Lambda",
            ResourceNotFoundException=f"there is no function {name} with an alias live: deploy this version first",
            ResourceConflictException=f"Lambda is still preparing {name}: try again in a minute",
            ResourceNotReadyException=f"Lambda is waking {name}, which was not used for long: try again in a minute",
        ):
            try:
                answer = client.invoke(FunctionName=name, Qualifier="live", Payload=json.dumps(event).encode())
                payload: dict[str, Any] = json.loads(answer["Payload"].read())
            except (*LOST, client.exceptions.TooManyRequestsException) as error:
                raise LostError(f"{name} is at work, and did not answer") from error
    except json.JSONDecodeError as error:
        raise RecordsError(f"{name} gave an answer that is no JSON") from error
    if "FunctionError" not in answer:
        return payload
    told = f"{payload.get('errorType', 'unknown error')}: {payload.get('errorMessage', '')}"
    if any(timeout in told for timeout in TIMEOUTS):
        raise LostError(f"{name} ran out of time, and goes on when it is asked again")
    raise RecordsError(f"{name} failed ({told}): more is in the log group /aws/lambda/{name}")


def _name_options(told: str) -> str:
    """A text of the function about its parameters, with the options that they come from."""
    return re.sub(r"\b(\w+)\b", lambda word: OPTIONS.get(word[0], word[0]), told) if MUST.match(told) else told


def _read(answer: dict[str, Any]) -> dict[str, Any]:
    if "error" in answer:
        raise RecordsError(_name_options(answer["error"]))
    return answer
