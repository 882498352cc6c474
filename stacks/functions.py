"""The functions maintain and monitor: of an environment on AWS, or of the local stack."""

import getpass
import json
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from deploy.environment import Environment
from deploy.errors import explain_failures
from deploy.function import LOST, connect_lambda, explain_refusals, invoke_live
from lambda_app.project import PREFIX
from local.functions import FunctionName, connect_local
from stacks.errors import LostError, ReachError

if TYPE_CHECKING:
    from types_boto3_lambda import LambdaClient

TIMEOUTS = ("Sandbox.Timedout", "Task timed out")

Function = Callable[[Mapping[str, Any]], dict[str, Any]]


def connect_function(name: FunctionName, environment: Environment | None) -> Function:
    """Return what sends events to the function, with the caller's name as `by`; without an environment, the local one.

    A call raises ReachError where the function refuses or fails, LostError where it may still be at work, and
    DeployError or StackError where it cannot be asked.
    """
    if environment is None:
        invoke = connect_local(name)
        by = f"{getpass.getuser()} on this machine"
        return lambda event: _read(invoke({"by": by, **event}))
    with explain_failures("STS"):
        by = environment.session.client("sts").get_caller_identity()["Arn"]
    client, full_name = connect_lambda(environment), f"{PREFIX}-{environment.name}-{name}"
    return lambda event: _read(_invoke(client, full_name, {"by": by, **event}))


def _invoke(client: "LambdaClient", name: str, event: Mapping[str, Any]) -> dict[str, Any]:
    try:
        with explain_refusals(name, missing="deploy this version first", again="try again in a minute"):
            try:
                failed, payload = invoke_live(client, name, event)
            except (*LOST, client.exceptions.TooManyRequestsException) as error:
                raise LostError(f"{name} is at work, and did not answer") from error
    except json.JSONDecodeError as error:
        raise ReachError(f"{name} gave an answer that is no JSON") from error
    if not failed:
        return payload
    told = f"{payload.get('errorType', 'unknown error')}: {payload.get('errorMessage', '')}"
    if any(timeout in told for timeout in TIMEOUTS):
        raise LostError(f"{name} ran out of time, and goes on when it is asked again")
    raise ReachError(f"{name} failed ({told}): more is in the log group /aws/lambda/{name}")


def _read(answer: dict[str, Any]) -> dict[str, Any]:
    if "error" in answer:
        raise ReachError(answer["error"])
    return answer
