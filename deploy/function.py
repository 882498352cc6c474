"""Invokes a function of an environment on AWS, and says what Lambda's refusals mean."""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from botocore.config import Config
from botocore.exceptions import ConnectionClosedError, ReadTimeoutError, ResponseStreamingError

from deploy.environment import Environment
from deploy.errors import explain_failures

if TYPE_CHECKING:
    from types_boto3_lambda import LambdaClient

# Networks forget an idle connection after 350 seconds without telling either end.
WAIT_SECONDS = 300.0
# The function goes on when its caller is gone.
LOST = (ConnectionClosedError, ReadTimeoutError, ResponseStreamingError)


def connect_lambda(environment: Environment) -> "LambdaClient":
    """A client that waits as long as a network allows, and never invokes a second time by itself."""
    config = Config(read_timeout=WAIT_SECONDS, tcp_keepalive=True, retries={"total_max_attempts": 1})
    return environment.session.client("lambda", config=config)


def invoke_live(client: "LambdaClient", name: str, event: Mapping[str, Any]) -> tuple[bool, dict[str, Any]]:
    """Run the function once by its alias live; return whether it failed, and its answer.

    Raises what boto3 raises, and ValueError when the answer is no JSON.
    """
    answer = client.invoke(FunctionName=name, Qualifier="live", Payload=json.dumps(event).encode())
    return "FunctionError" in answer, json.loads(answer["Payload"].read())


@contextmanager
def explain_refusals(name: str, missing: str, again: str) -> Iterator[None]:
    """Turn what boto3 raises inside into a DeployError: `missing` is what to do without the function."""
    with explain_failures(
        "Lambda",
        ResourceNotFoundException=f"there is no function {name} with an alias live: {missing}",
        ResourceConflictException=f"Lambda is still preparing {name}: {again}",
        ResourceNotReadyException=f"Lambda is waking {name}, which was not used for long: {again}",
        TooManyRequestsException=f"{name} is running already, or the account's quota is used up: {again}",
    ):
        yield
