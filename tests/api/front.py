"""A stand-in for API Gateway with tokens, between the application and an HTTP client."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import uvicorn
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from local.gateway import find_route
from local.ports import LOOPBACK, find_free_ports


class TokenFront:
    """Lets through whoever has the token, as one caller; the others get what the gateway would say."""

    def __init__(self, app: ASGIApp, token: str) -> None:
        self._app = app
        self._wanted = f"Bearer {token}".encode()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            if dict(scope["headers"]).get(b"authorization") != self._wanted:
                await JSONResponse({"message": "Unauthorized"}, 401)(scope, receive, send)
                return
            scope["aws.event"] = {
                "requestContext": {
                    "authorizer": {"jwt": {"claims": {"sub": "tester"}}},
                    "routeKey": find_route(scope["method"], scope["path"]),
                }
            }
        await self._app(scope, receive, send)


@contextmanager
def serve(app: ASGIApp) -> Iterator[str]:
    """Serve it on the loopback address, in a thread of its own, one request at a time; yields its URL."""
    [port] = find_free_ports(1)
    server = uvicorn.Server(uvicorn.Config(app, LOOPBACK, port, lifespan="off", log_level="warning"))
    thread = threading.Thread(target=server.run, name="uvicorn")
    thread.start()
    try:
        while not server.started:
            assert thread.is_alive(), "uvicorn did not start"
            time.sleep(0.01)
        yield f"http://{LOOPBACK}:{port}"
    finally:
        server.should_exit = True
        thread.join()
