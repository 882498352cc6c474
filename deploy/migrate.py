"""The schema: the migrate function, invoked once its new code is there."""

import json
import re
from typing import Any

from botocore.config import Config

from deploy.environment import Environment
from deploy.errors import DeployError, explain_failures

# The function itself ends at fifteen minutes.
TIMEOUT_SECONDS = 910
# PostgreSQL's own words may quote a row, which is health data; its code tells enough.
SQLSTATE = re.compile(r"'C': '([0-9A-Z]{5})'")


def migrate(environment: Environment, function_name: str) -> list[str]:
    """Bring the schema up to date and return the names of what was applied; DeployError when that fails."""
    # Sent again after a lost answer, it would wait for itself: the function runs once at a time.
    config = Config(read_timeout=TIMEOUT_SECONDS, retries={"total_max_attempts": 1})
    client = environment.session.client("lambda", config=config)
    again = f"run `python -m deploy migrate --env {environment.name}` again in a minute"
    with explain_failures(
        "Lambda",
        ResourceNotFoundException=f"there is no function {function_name} with an alias live: apply the plan first",
        ResourceConflictException=f"Lambda is still preparing {function_name}: {again}",
        ResourceNotReadyException=f"Lambda is waking {function_name}, which was not used for long: {again}",
        TooManyRequestsException=f"{function_name} is running already: {again}",
    ):
        answer = client.invoke(FunctionName=function_name, Qualifier="live", Payload=b"{}")
        payload = json.loads(answer["Payload"].read())
    if answer.get("FunctionError"):
        raise DeployError(
            f"migrating failed, and nothing of it was kept: {_describe(payload)}. More is in the log group "
            f"/aws/lambda/{function_name}; until it succeeds, the API keeps working with what the schema has"
        )
    applied: list[str] = payload["applied"]
    return applied


def _describe(payload: dict[str, Any]) -> str:
    kind, text = str(payload.get("errorType", "unknown error")), str(payload.get("errorMessage", ""))
    if code := SQLSTATE.search(text):
        return f"{kind}, SQLSTATE {code[1]}"
    return f"{kind}: {text}"
