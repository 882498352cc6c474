"""Signed requests to one AWS endpoint, with a deadline."""

import http.client
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from urllib.parse import quote, urlsplit

from lambda_app.aws.signature import Identity, sign_headers
from lambda_app.network import Deadline, make_tls_context, open_socket

WAIT_SECONDS = 1.0
# Limits the sum of all waits for a slow server.
DEADLINE_SECONDS = 2.0
# AWS closes idle connections after some seconds, and Lambda may freeze in between.
KEEP_SECONDS = 3.0


class AwsError(Exception):
    """AWS returned an error; `code` is its error code."""

    def __init__(self, code: str, status: int) -> None:
        super().__init__(code)
        self.code = code
        self.status = status


# A request can raise these: an error of AWS, a network failure or timeout, and a malformed response.
AWS_ERRORS = (AwsError, OSError, http.client.HTTPException)


@dataclass(frozen=True)
class Response:
    """A response with status 200 or 304. Header names are in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class AwsClient:
    """Sends requests to `url`; its path is the prefix of each request's path. Not safe for two threads."""

    def __init__(self, identity: Identity, service: str, url: str) -> None:
        self._identity = identity
        self._service = service
        address = urlsplit(url)
        self._tls = address.scheme == "https"
        self._host = address.hostname or ""
        self._port = address.port or (443 if self._tls else 80)
        self._netloc = address.netloc
        self._prefix = address.path.rstrip("/")
        self._deadline = Deadline(WAIT_SECONDS)
        self._connection: http.client.HTTPConnection | None = None
        self._used_at = 0.0

    def send(self, method: str, path: str, headers: Mapping[str, str] | None = None, body: bytes = b"") -> Response:
        """Return the response of AWS; raises one of AWS_ERRORS."""
        self._deadline.start(DEADLINE_SECONDS)
        return self._attempt(method, path, headers, body)

    def read(self, path: str, headers: Mapping[str, str]) -> Response:
        """Return the response to a GET, which is sent again once if AWS or the network fails; raises as `send` does.

        Both attempts share the deadline, and the second has a new connection.
        """
        self._deadline.start(DEADLINE_SECONDS)
        try:
            return self._attempt("GET", path, headers, b"")
        except AWS_ERRORS as error:
            if isinstance(error, AwsError) and error.status < HTTPStatus.INTERNAL_SERVER_ERROR:
                raise
        self.close()
        return self._attempt("GET", path, headers, b"")

    def _attempt(self, method: str, path: str, headers: Mapping[str, str] | None, body: bytes) -> Response:
        path = self._prefix + path
        signed = sign_headers(self._identity, self._service, method, self._netloc, path, body, headers or {})
        try:
            connection = self._require_connection()
            connection.request(method, quote(path), body, signed)
            response = connection.getresponse()
            answer = Response(
                response.status, {name.lower(): value for name, value in response.getheaders()}, response.read()
            )
        except BaseException:
            self.close()
            raise
        self._used_at = time.time()
        # A redirect would lead to another region, so it is an error.
        if answer.status not in (HTTPStatus.OK, HTTPStatus.NOT_MODIFIED):
            raise AwsError(_find_code(answer), answer.status)
        return answer

    def close(self) -> None:
        """Close the connection; the next request opens a new one."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    def _require_connection(self) -> http.client.HTTPConnection:
        kept = self._connection
        # The socket is None if the server asked to close the connection.
        if kept is None or kept.sock is None or not 0 <= time.time() - self._used_at < KEEP_SECONDS:
            self.close()
            connection = http.client.HTTPConnection(self._host, self._port)
            connection.sock = open_socket(self._host, self._port, self._deadline)
            if self._tls:
                connection.sock = make_tls_context().wrap_socket(connection.sock, server_hostname=self._host)
            # Otherwise http.client would open another socket, without a deadline.
            connection.auto_open = 0
            self._connection = kept = connection
        return kept


def _find_code(answer: Response) -> str:
    # Errors of S3 are XML, those of SQS are JSON. A response without a body has only its status.
    found = re.search(rb'<Code>(\w+)</Code>|"__type": ?"[^"]*?(\w+)"', answer.body)
    return (found[1] or found[2]).decode() if found else str(answer.status)
