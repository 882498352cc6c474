"""Signed requests to one address of AWS, bounded in time."""

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
# A slow server must not add up its waits.
DEADLINE_SECONDS = 2.0
# AWS ends idle connections after some seconds, and Lambda may be frozen in between.
KEEP_SECONDS = 3.0


class AwsError(Exception):
    """AWS refused; `code` is its name for the reason."""

    def __init__(self, code: str, status: int) -> None:
        super().__init__(code)
        self.code = code
        self.status = status


# What a request can raise: AWS's refusal, a network that fails or takes too long, and bytes that are not HTTP.
AWS_ERRORS = (AwsError, OSError, http.client.HTTPException)


@dataclass(frozen=True)
class Response:
    """OK, or not modified; the names of the headers are in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class AwsClient:
    """Sends to `url`, whose path is put before that of each request. Not safe for two threads at once."""

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
        """Return AWS's answer; raises one of AWS_ERRORS."""
        self._deadline.start(DEADLINE_SECONDS)
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
        # A redirection would lead to another region, and is not followed.
        if answer.status not in (HTTPStatus.OK, HTTPStatus.NOT_MODIFIED):
            raise AwsError(_find_code(answer), answer.status)
        return answer

    def close(self) -> None:
        """Drop the connection; the next request makes a new one."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    def _require_connection(self) -> http.client.HTTPConnection:
        kept = self._connection
        # Without a socket where the server wanted to close it.
        if kept is None or kept.sock is None or not 0 <= time.time() - self._used_at < KEEP_SECONDS:
            self.close()
            connection = http.client.HTTPConnection(self._host, self._port)
            connection.sock = open_socket(self._host, self._port, self._deadline)
            if self._tls:
                connection.sock = make_tls_context().wrap_socket(connection.sock, server_hostname=self._host)
            # It would open another socket by itself, without a deadline.
            connection.auto_open = 0
            self._connection = kept = connection
        return kept


def _find_code(answer: Response) -> str:
    # S3's errors are XML, SQS's are JSON; an answer without a body has only its status.
    found = re.search(rb'<Code>(\w+)</Code>|"__type": ?"[^"]*?(\w+)"', answer.body)
    return (found[1] or found[2]).decode() if found else str(answer.status)
