"""Shortcuts of these tests: requests to a handler, a test's own queues, and rows of the table."""

import base64
import json
from collections.abc import Callable
from typing import TYPE_CHECKING, Any
from uuid import UUID

from lambda_app.http.schemas import EXAMPLE_REQUEST
from lambda_app.telemetry import LambdaHandler
from local.events import read_body
from tests.events import Context, load_event, make_event
from tests.queues import QueuePair, count_messages, drain_queue

if TYPE_CHECKING:
    from types_boto3_sqs import SQSClient

Wire = Callable[..., LambdaHandler]
Query = Callable[..., list[Any]]

DEAD_DATABASE = {"DATABASE_PORT": "1"}
DEAD_QUEUE = {"QUEUE_URL": "http://127.0.0.1:1/123456789012/records"}
IAM_CALLER = load_event("predict")["requestContext"]["authorizer"]
# Each measurement is within its range, and LDL alone is above total cholesterol.
IMPOSSIBLE = {**EXAMPLE_REQUEST, "s1": 97.1, "s2": 234.5, "s3": 93.5}


def send(
    api: LambdaHandler,
    method: str,
    path: str,
    body: Any = None,
    *,
    authorizer: Any = IAM_CALLER,
    context: Context | None = None,
    **headers: str,
) -> dict[str, Any]:
    """The answer to a request, with its JSON body read. Text and bytes are sent as they are, all else as JSON."""
    is_binary = isinstance(body, bytes)
    text = base64.b64encode(body).decode() if is_binary else body if isinstance(body, str | None) else json.dumps(body)
    event = make_event(method, path, text, **headers) | {"isBase64Encoded": is_binary}
    event["requestContext"]["authorizer"] = authorizer
    return read_body(api(event, context or Context()))


def get(api: LambdaHandler, path: str, **given: Any) -> dict[str, Any]:
    return send(api, "GET", path, **given)


def post(api: LambdaHandler, path: str, body: Any, **given: Any) -> dict[str, Any]:
    return send(api, "POST", path, body, **given)


def count_rows(query: Query) -> int:
    [[count]] = query("SELECT count(*) FROM predictions")
    return int(count)


def read_row(query: Query, request_id: UUID | str) -> dict[str, Any]:
    [[row]] = query("SELECT row_to_json(p) FROM predictions p WHERE request_id = :id", id=UUID(str(request_id)))
    return dict(row)


class Queues:
    """A queue and its dead-letter queue, with messages of this test alone."""

    def __init__(self, sqs: "SQSClient", pair: QueuePair) -> None:
        self._sqs = sqs
        self.url = pair.url
        self.dead_letter_url = pair.dead_letter_url
        self.environment = pair.environment

    def count(self) -> int:
        return count_messages(self._sqs, self.url)

    def drain(self) -> list[str]:
        """Receive and delete all messages; return their bodies."""
        return [message["Body"] for message in drain_queue(self._sqs, self.url)]

    def drain_dead_letters(self) -> list[str]:
        return [message["Body"] for message in drain_queue(self._sqs, self.dead_letter_url)]
