"""`python -m local.gateway`: what API Gateway's HTTP API is to the function, for a function in a container.

Nobody is asked who they are here, as on a route without an authorizer.
"""

import argparse
import asyncio
import base64
import sys
import uuid
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any
from urllib.parse import unquote

from fastapi import Request, Response
from fastapi.responses import JSONResponse
from starlette.types import Receive, Scope, Send

from local.aws_services import ACCOUNT
from local.errors import FunctionError
from local.function import ContainerFunction
from local.http_server import describe_api, serve_http
from local.ports import LOOPBACK

PORT = 8000
# After which API Gateway gives the function up.
TIMEOUT_SECONDS = 30.0

# The routes beside $default.
ROUTES = {"POST /outcomes"}

Invoke = Callable[[Mapping[str, Any]], dict[str, Any]]


class Gateway:
    """The ASGI application before one execution environment, which takes one event at a time: other requests wait."""

    def __init__(self, invoke: Invoke) -> None:
        self._invoke = invoke
        self._line = ThreadPoolExecutor(max_workers=1)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        query = scope["query_string"].decode("latin-1")
        target = scope["raw_path"].decode("latin-1") + (f"?{query}" if query else "")
        # Several headers of one name are one with commas.
        headers = {name: ",".join(request.headers.getlist(name)) for name in request.headers}
        address = request.client.host if request.client else ""
        event = build_event(request.method, target, headers, await request.body(), address)
        try:
            answer = await asyncio.get_running_loop().run_in_executor(self._line, self._invoke, event)
            response = Response(*read_answer(answer))
        except FunctionError as error:
            # The client is not told more by API Gateway either; the function's own log has it all.
            print(f"The function gave no answer: {error}", flush=True)
            response = JSONResponse({"message": "Internal Server Error"}, 500)
        await response(scope, receive, send)


def build_event(
    method: str, target: str, headers: Mapping[str, str], body: bytes = b"", address: str = LOOPBACK
) -> dict[str, Any]:
    """The request in payload format 2.0; names of headers must be in small letters."""
    now = datetime.now(UTC)
    path, _, query = target.partition("?")
    host = headers.get("host", "")
    route = find_route(method, unquote(path))
    try:
        text, is_text = body.decode(), True
    except UnicodeDecodeError:
        text, is_text = base64.b64encode(body).decode(), False
    return {
        "version": "2.0",
        "routeKey": route,
        "rawPath": unquote(path),
        "rawQueryString": query,
        "headers": {**headers, "x-forwarded-for": address, "x-forwarded-proto": "http"},
        "requestContext": {
            "accountId": ACCOUNT,
            "apiId": "local",
            "domainName": host,
            "domainPrefix": host.partition(".")[0],
            "http": {
                "method": method,
                "path": unquote(path),
                "protocol": "HTTP/1.1",
                "sourceIp": address,
                "userAgent": headers.get("user-agent", ""),
            },
            "requestId": str(uuid.uuid4()),
            "routeKey": route,
            "stage": "$default",
            "time": f"{now:%d/%b/%Y:%H:%M:%S} +0000",
            "timeEpoch": int(now.timestamp() * 1000),
        },
        "isBase64Encoded": not is_text,
        **({"body": text} if body else {}),
    }


def find_route(method: str, path: str) -> str:
    """The key of the route that takes the request."""
    key = f"{method} {path}"
    return key if key in ROUTES else "$default"


def read_answer(answer: Mapping[str, Any]) -> tuple[bytes, int, dict[str, str]]:
    """Content, status and headers for the client; FunctionError when it is no answer to an HTTP request."""
    try:
        body = answer.get("body") or ""
        content = base64.b64decode(body) if answer.get("isBase64Encoded") else body.encode()
        return content, int(answer["statusCode"]), dict(answer.get("headers") or {})
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise FunctionError("it is none to an HTTP request") from error


def main() -> int:
    """Serve once the function answers; 1, with one line, when it doesn't in time."""
    parser = argparse.ArgumentParser(prog="python -m local.gateway", description=__doc__)
    parser.add_argument("--function", required=True, help="the host name of the function's container")
    parser.add_argument("--url", required=True, help="by which a person reaches this gateway")
    parser.add_argument("--listen", default=LOOPBACK, help="the address")
    options = parser.parse_args()
    function = ContainerFunction(options.function, TIMEOUT_SECONDS)
    try:
        # The cold start is over before the first request, and whoever waits for the port waits for all behind it.
        answer = function.wait_until_answers(build_event("GET", "/health", {}))
        content, status, _ = read_answer(answer)
    except FunctionError as error:
        print(f"{error}: see what its container has logged", file=sys.stderr)
        return 1
    if status != HTTPStatus.OK:
        print(f"The function isn't well: {content.decode()}", flush=True)
    print(describe_api(options.url), flush=True)
    serve_http(Gateway(function.invoke), options.listen, PORT)
    return 0


if __name__ == "__main__":
    sys.exit(main())
