"""The schema: the migrate function, invoked once its new code is there."""

import re
import time
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError, ConnectTimeoutError, EndpointConnectionError

from deploy.environment import Environment
from deploy.errors import DeployError
from deploy.function import LOST, connect_lambda, explain_refusals, invoke_live

if TYPE_CHECKING:
    from types_boto3_lambda import LambdaClient

# The function itself ends at fifteen minutes.
PATIENCE_SECONDS = 910.0
PAUSE_SECONDS = 5.0
# PostgreSQL's own words may quote a row, which is health data; its code tells enough.
SQLSTATE = re.compile(r"'C': '([0-9A-Z]{5})'")


def migrate(environment: Environment, function_name: str) -> list[str]:
    """Bring the schema up to date and return the names of what was applied; DeployError when that fails."""
    client = connect_lambda(environment)
    again = f"run `python -m deploy migrate --env {environment.name}` again in a minute"
    with explain_refusals(function_name, missing="apply the plan first", again=again):
        failed, payload = _invoke(client, function_name)
    if failed:
        raise DeployError(
            f"migrating failed, and nothing of it was kept: {_describe(payload)}. More is in the log group "
            f"/aws/lambda/{function_name}; until it succeeds, the API keeps working with what the schema has"
        )
    applied: list[str] = payload["applied"]
    return applied


def _invoke(client: "LambdaClient", function_name: str) -> tuple[bool, dict[str, Any]]:
    """Run the function and return whether it failed, and its answer.

    When the connection is lost, the function is run again, which changes nothing. The second run waits for the first,
    and then tells the outcome. Where Lambda refuses a second run beside the first, or is away, this asks until the
    first has ended.
    """
    deadline = time.monotonic() + PATIENCE_SECONDS
    lost, pause = False, PAUSE_SECONDS
    while True:
        try:
            return invoke_live(client, function_name, {})
        except LOST:
            if time.monotonic() >= deadline:
                raise
            if not lost:
                print(f"The connection to {function_name} was lost. It goes on; asking for its outcome", flush=True)
            lost = True
            # Each run waits for the first one, with a connection to the database. So there must not be many.
            pause *= 2
        except (ClientError, ConnectTimeoutError, EndpointConnectionError) as error:
            if not lost or time.monotonic() >= deadline or not _may_pass(error):
                raise
        except ValueError:
            raise DeployError(f"the answer of {function_name} can't be read: run this again in a minute") from None
        time.sleep(min(pause, max(deadline - time.monotonic(), 0)))


def _may_pass(error: Exception) -> bool:
    """Return True for a network that is away, for a refusal of a second run, and for a failure of Lambda itself."""
    if not isinstance(error, ClientError):
        return True
    status = error.response["ResponseMetadata"]["HTTPStatusCode"]
    return status == HTTPStatus.TOO_MANY_REQUESTS or status >= HTTPStatus.INTERNAL_SERVER_ERROR


def _describe(payload: dict[str, Any]) -> str:
    kind, text = str(payload.get("errorType", "unknown error")), str(payload.get("errorMessage", ""))
    if code := SQLSTATE.search(text):
        return f"{kind}, SQLSTATE {code[1]}"
    return f"{kind}: {text}"
