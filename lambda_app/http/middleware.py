"""The middleware around every request: its id, its size limit, its duration, and its failures."""

import re
import time
from typing import Any
from uuid import UUID, uuid4

from starlette.datastructures import MutableHeaders
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from lambda_app.errors import INTERNAL_ERROR, EventError, ServiceError
from lambda_app.http.problems import make_problem_response, make_service_problem
from lambda_app.telemetry import Telemetry

MAX_BODY_BYTES = 64 * 1024
# A thousand cases with all digits of every number take half of it.
MAX_BATCH_BODY_BYTES = 512 * 1024
BATCH_PATH = "/predict/batch"
OUTCOMES_PATH = "/outcomes"
_LARGE = (BATCH_PATH, OUTCOMES_PATH)

_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.ASCII | re.IGNORECASE)


class RequestMiddleware:
    """A plain ASGI middleware, because Starlette's BaseHTTPMiddleware starts a task group for each request."""

    def __init__(self, app: ASGIApp, telemetry: Telemetry) -> None:
        self._app = app
        self._telemetry = telemetry

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        arrived_at = time.perf_counter()
        request_id = _choose_request_id(scope)
        scope.setdefault("state", {}).update(request_id=request_id, arrived_at=arrived_at)
        limit_bytes = MAX_BATCH_BODY_BYTES if scope["path"] in _LARGE else MAX_BODY_BYTES
        received_bytes = 0
        status: int | None = None
        method = scope["method"]
        if method == "HEAD":
            # A copy: the server needs its own scope unchanged, to know that HEAD has no body.
            scope = {**scope, "method": "GET"}

        # Starlette's limit would answer in plain text and bypass the exception handlers.
        async def receive_limited() -> Message:
            nonlocal received_bytes
            message = await receive()
            received_bytes += len(message.get("body", b""))
            if received_bytes > limit_bytes:
                raise HTTPException(413, f"The body is over {limit_bytes} bytes.")
            return message

        async def send_labelled(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = MutableHeaders(scope=message)
                headers["x-request-id"] = str(request_id)
                headers.setdefault("cache-control", "no-store")
            elif method == "HEAD":
                message = {**message, "body": b""}
            await send(message)

        try:
            if "aws.error" in scope:
                raise scope["aws.error"]
            await self._app(scope, receive_limited, send_labelled)
        except ServiceError as error:
            # An unreadable event means a wrong configuration, so it is logged.
            if error.problem.status >= 500 or isinstance(error, EventError):
                self._telemetry.request_refused(str(request_id), str(error))
            await make_service_problem(error, request_id)(scope, receive, send_labelled)
        except Exception as error:
            # Otherwise Mangum would log the text of the exception, and answer in plain text.
            self._telemetry.request_crashed(str(request_id), error)
            if status is None:
                problem = make_problem_response(INTERNAL_ERROR, "An unexpected error; it was logged.", request_id)
                await problem(scope, receive, send_labelled)
        finally:
            seconds = time.perf_counter() - arrived_at
            self._telemetry.request_finished(str(request_id), method, _name_route(scope), status or 500, seconds)


def parse_request_id(text: Any) -> UUID | None:
    """Return the UUID in the form of RFC 9562, or None. Python's `UUID` accepts other forms too."""
    return UUID(text) if isinstance(text, str) and _UUID.fullmatch(text) else None


def _choose_request_id(scope: Scope) -> UUID:
    """Return Lambda's request id if there is one, so that log lines, traces and the row share it.

    If it is no UUID, return a new one: tests and emulators often send the same text each time.
    """
    context = scope.get("aws.context")
    return (context and parse_request_id(context.aws_request_id)) or uuid4()


def _name_route(scope: Scope) -> str:
    """Return the template of the route. All unknown paths share one name, so scanners cannot create metric series."""
    if "route" in scope:
        return str(scope["route"].path)
    # /docs and /openapi.json are routes of Starlette, and set only their endpoint.
    return str(scope["path"]) if "endpoint" in scope else "unmatched"
