"""The sample events, the answers they must get, and invoking a handler with them."""

import json
import re
import uuid
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lambda_app.project import PREFIX
from lambda_app.telemetry import LambdaHandler
from local.events import CANARY_EVENTS, PATTERNS, read_body
from local.gateway import find_route

EVENTS = Path(__file__).parents[1] / "events"
_ANSWERED = sorted(
    path.name.removesuffix(".answer.json")
    for path in EVENTS.glob("*.answer.json")
    # The replay function's event comes from a queue, and its answer has no status.
    if "statusCode" in json.loads(path.read_text(encoding="utf-8"))
)
# Those of the api, and of an api with a candidate in a canary.
NAMES = [name for name in _ANSWERED if not name.endswith(CANARY_EVENTS)]
CANARY_NAMES = [name for name in _ANSWERED if name.endswith(CANARY_EVENTS)]
# Those of other senders than an HTTP API, which the function refuses.
FOREIGN = {"function_url", "load_balancer", "payload_1"}


@dataclass(frozen=True)
class Context:
    """The context that Lambda passes to a handler with the event."""

    aws_request_id: str = field(default_factory=lambda: str(uuid.uuid4()))
    function_name: str = f"{PREFIX}-api"
    function_version: str = "$LATEST"
    memory_limit_in_mb: int = 1024
    invoked_function_arn: str = f"arn:aws:lambda:eu-west-1:123456789012:function:{PREFIX}-api"


def load_event(name: str) -> dict[str, Any]:
    event: dict[str, Any] = json.loads((EVENTS / f"{name}.json").read_text(encoding="utf-8"))
    return event


def make_event(method: str, path: str, body: str | None = None, **headers: str) -> dict[str, Any]:
    """The sample event with another request in it. An underscore in a header's name stands for a hyphen."""
    event = load_event("predict")
    event["rawPath"] = path
    event["routeKey"] = event["requestContext"]["routeKey"] = find_route(method, path)
    event["requestContext"]["http"] |= {"method": method, "path": path}
    event["headers"] |= {name.replace("_", "-"): value for name, value in headers.items()}
    event["headers"].pop("content-length")
    event["body"] = body
    return event


def invoke(handler: LambdaHandler, event: dict[str, Any]) -> dict[str, Any]:
    """The handler's answer, with its JSON body read."""
    answer: dict[str, Any] = handler(event, Context())
    return read_body(answer)


def find_differences(expected: Any, actual: Any, where: str = "answer") -> list[str]:
    """Every place where an answer is not the expected one; placeholders stand for values that are new each time."""
    if expected == "<number>":
        return [] if type(actual) in {int, float} else [f"{where}: {actual!r} is not a number"]
    if isinstance(expected, str) and expected in PATTERNS:
        matches = isinstance(actual, str) and re.fullmatch(PATTERNS[expected], actual, re.DOTALL)
        return [] if matches else [f"{where}: {actual!r} is not a {expected}"]
    if isinstance(expected, dict) and isinstance(actual, dict):
        if expected.keys() != actual.keys():
            return [f"{where}: has {sorted(actual)}, not {sorted(expected)}"]
        return [line for key in expected for line in find_differences(expected[key], actual[key], f"{where}.{key}")]
    if isinstance(expected, list) and isinstance(actual, list) and len(expected) == len(actual):
        pairs = enumerate(zip(expected, actual, strict=True))
        return [line for n, (one, other) in pairs for line in find_differences(one, other, f"{where}[{n}]")]
    return [] if expected == actual else [f"{where}: {actual!r} is not {expected!r}"]


def check_answer(name: str, answer: dict[str, Any]) -> None:
    """Fail unless the whole answer is the one that the event must get."""
    expected = json.loads((EVENTS / f"{name}.answer.json").read_text(encoding="utf-8"))
    differences = find_differences(expected, read_body(answer))
    assert not differences, "\n".join([*differences, str(answer["body"])])
