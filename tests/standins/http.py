"""An HTTP server in a thread of its own, for what stands between a deployment and the functions."""

import asyncio
import http.server
import ssl
import threading
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Self

from local.certificates import Certificate
from local.ports import LOOPBACK


@dataclass(frozen=True)
class Request:
    """As it came; the names of headers are in small letters."""

    method: str
    target: str
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True)
class Response:
    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""


class HttpServer(ABC):
    """Listens on the loopback address from `with` on; one request at a time, as an execution environment."""

    def __init__(self, certificate: Certificate | None = None) -> None:
        answer = self._answer

        class Handler(http.server.BaseHTTPRequestHandler):
            def handle_one_request(self) -> None:
                self.raw_requestline = self.rfile.readline(65537)
                if self.raw_requestline and self.parse_request():
                    body = self.rfile.read(int(self.headers.get("content-length", 0)))
                    headers = {name.lower(): value for name, value in self.headers.items()}
                    self._send(answer(Request(self.command, self.path, headers, body)))

            def _send(self, response: Response) -> None:
                self.send_response_only(response.status)
                for name, value in response.headers.items():
                    if name.lower() not in {"content-length", "connection", "transfer-encoding"}:
                        self.send_header(name, value)
                self.send_header("content-length", str(len(response.body)))
                self.end_headers()
                self.wfile.write(response.body)

        self._server = http.server.HTTPServer((LOOPBACK, 0), Handler)
        self._scheme = "http"
        if certificate:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificate.chain_path, certificate.key_path)
            self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
            self._scheme = "https"
        self._thread = threading.Thread(target=self._run, name=type(self).__name__)

    @property
    def url(self) -> str:
        return f"{self._scheme}://{LOOPBACK}:{self._server.server_port}"

    @abstractmethod
    def _answer(self, request: Request) -> Response:
        """The response to this request."""

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def _run(self) -> None:
        # Mangum takes the thread's loop.
        loop = asyncio.new_event_loop()
        asyncio.set_event_loop(loop)
        self._server.serve_forever(poll_interval=0.05)
        loop.close()
