"""A stand-in for Lambda: invocations go to real handlers in this process, all else to moto, which runs none."""

import http.client
import json
import re
from collections.abc import Callable
from typing import Any
from urllib.parse import unquote

from local.ports import LOOPBACK
from tests.events import Context
from tests.standins.http import HttpServer, Request, Response

INVOKE = re.compile(r"/2015-03-31/functions/(?P<name>[^/?]+)/invocations\?Qualifier=live")


class ThrottledError(Exception):
    """A function raises it in place of Lambda, which refuses more than the reserved concurrency."""


class BrokenError(Exception):
    """A function raises it in place of Lambda, which failed itself."""


REFUSALS: dict[type[Exception], Response] = {
    ThrottledError: Response(
        429,
        {"x-amzn-errortype": "TooManyRequestsException"},
        b'{"Reason":"ReservedFunctionConcurrentInvocationLimitExceeded"}',
    ),
    BrokenError: Response(500, {"x-amzn-errortype": "ServiceException"}, b'{"Message":"It failed."}'),
}


class Functions(HttpServer):
    """The functions by their names, each with the alias live."""

    def __init__(self, upstream_port: int, **functions: Callable[[dict[str, Any], Any], Any]) -> None:
        super().__init__()
        self._upstream_port = upstream_port
        self.functions = functions
        # Of concurrent executions, and how many of them are reserved.
        self.quota = 1000
        self.reserved = 0

    def _answer(self, request: Request) -> Response:
        if request.target.startswith("/2016-08-19/account-settings"):
            limits = {
                "ConcurrentExecutions": self.quota,
                "UnreservedConcurrentExecutions": self.quota - self.reserved,
            }
            return Response(200, {"content-type": "application/json"}, json.dumps({"AccountLimit": limits}).encode())
        invocation = INVOKE.fullmatch(request.target)
        if not (invocation and request.method == "POST"):
            return self._forward(request)
        function = self.functions.get(unquote(invocation["name"]))
        if function is None:
            headers = {"x-amzn-errortype": "ResourceNotFoundException"}
            return Response(404, headers, b'{"Type":"User","Message":"Function not found"}')
        try:
            answer = function(json.loads(request.body), Context())
        except (ThrottledError, BrokenError) as error:
            return REFUSALS[type(error)]
        except Exception as error:
            told = {"errorMessage": str(error), "errorType": type(error).__name__, "stackTrace": []}
            return Response(200, {"x-amz-function-error": "Unhandled"}, json.dumps(told).encode())
        body = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
        return Response(200, {"x-amz-executed-version": "1"}, body)

    def _forward(self, request: Request) -> Response:
        connection = http.client.HTTPConnection(LOOPBACK, self._upstream_port, timeout=60)
        headers = {name: value for name, value in request.headers.items() if name != "connection"}
        try:
            connection.request(request.method, request.target, request.body, headers)
            answer = connection.getresponse()
            return Response(answer.status, dict(answer.getheaders()), answer.read())
        finally:
            connection.close()
