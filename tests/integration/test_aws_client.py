"""AWS without boto3: signatures that are boto3's, errors by AWS's names, and connections that are verified and kept."""

import hashlib
import http.server
import socket
import ssl
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from lambda_app.aws.client import AWS_ERRORS, AwsClient, AwsError
from lambda_app.aws.signature import Identity, sign_headers
from lambda_app.model.bucket import ModelBucket
from local.certificates import Certificate, Certificates
from local.ports import LOOPBACK
from tests.standins.http import HttpServer, Request, Response

IDENTITY = Identity("eu-west-1", "AKIDEXAMPLE", "secret/with+signs", "session/token+with=signs&more==")
MOMENT = datetime(2026, 1, 31, 23, 59, 59, tzinfo=UTC)


class Aws(HttpServer):
    """Gives the same answer to everything, and keeps what it was asked."""

    def __init__(self, response: Response, certificate: Certificate | None = None) -> None:
        super().__init__(certificate)
        self.response = response
        self.requests: list[Request] = []

    def _answer(self, request: Request) -> Response:
        self.requests.append(request)
        return self.response


@pytest.mark.parametrize("token", [IDENTITY.session_token, None])
@pytest.mark.parametrize(
    ("service", "method", "path", "headers", "body"),
    [
        ("s3", "GET", "/models/current.json", {}, b""),
        ("s3", "GET", "/models/v 1+2~ü/model.tflite", {"if-none-match": '"etag"'}, b""),
        ("sqs", "POST", "/", {"content-type": "application/x-amz-json-1.0", "x-amz-target": "AmazonSQS.Send"}, b"{}"),
    ],
)
def test_signature_is_the_one_that_boto_makes(
    service: str,
    method: str,
    path: str,
    headers: dict[str, str],
    body: bytes,
    token: str | None,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("botocore.auth.get_current_datetime", lambda: MOMENT)
    monkeypatch.setattr("lambda_app.aws.signature._format_now", lambda: f"{MOMENT:%Y%m%dT%H%M%SZ}")
    identity = Identity(IDENTITY.region, IDENTITY.access_key_id, IDENTITY.secret_access_key, token)
    signed = sign_headers(identity, service, method, "example.com:8002", path, body, headers)

    digest = hashlib.sha256(body).hexdigest()
    request = AWSRequest(method, f"http://example.com:8002{path}", {**headers, "x-amz-content-sha256": digest}, body)
    credentials = Credentials(identity.access_key_id, identity.secret_access_key, token)
    SigV4Auth(credentials, service, identity.region).add_auth(request)
    assert signed["authorization"] == request.headers["Authorization"]
    assert signed.get("x-amz-security-token") == token


@pytest.mark.parametrize(
    ("response", "code"),
    [
        (Response(404, body=b"<?xml version='1.0'?><Error><Code>NoSuchKey</Code></Error>"), "NoSuchKey"),
        (Response(400, body=b'{"__type":"com.amazonaws.sqs#QueueDoesNotExist","message":"no"}'), "QueueDoesNotExist"),
        (Response(400, body=b'{"__type": "UnrecognizedClientException"}'), "UnrecognizedClientException"),
        (Response(301, body=b"<Error><Code>PermanentRedirect</Code></Error>"), "PermanentRedirect"),
        (Response(503, body=b"<html>try later</html>"), "503"),
        (Response(403), "403"),
    ],
)
def test_refusal_has_the_name_that_aws_gives_it(response: Response, code: str) -> None:
    with Aws(response) as aws, pytest.raises(AwsError) as caught:
        AwsClient(IDENTITY, "s3", aws.url).send("GET", "/any")
    assert (caught.value.code, caught.value.status) == (code, response.status)


def test_request_and_answer_arrive_whole() -> None:
    with Aws(Response(200, {"ETag": '"1"'}, b"x" * 100_000)) as aws:
        client = AwsClient(IDENTITY, "s3", f"{aws.url}/bucket/")
        for _ in range(2):
            answer = client.send("POST", "/models/a b", {"x-any": "1"}, b"body")
            assert (answer.status, answer.headers["etag"], answer.body) == (200, '"1"', b"x" * 100_000)
    [request, _] = aws.requests
    assert (request.method, request.target, request.body) == ("POST", "/bucket/models/a%20b", b"body")
    assert request.headers["x-any"] == "1"
    assert request.headers["host"] == aws.url.removeprefix("http://")


@pytest.mark.parametrize("name", ["wrong_name", "other_ca", "expired"])
def test_wrong_certificate_is_refused_before_anything_is_sent(certificates: Certificates, name: str) -> None:
    with Aws(Response(200), certificates.server) as aws:
        assert AwsClient(IDENTITY, "s3", aws.url).send("GET", "/").status == 200
    with Aws(Response(200), getattr(certificates, name)) as aws:
        with pytest.raises(ssl.SSLCertVerificationError):
            AwsClient(IDENTITY, "s3", aws.url).send("GET", "/")
        assert aws.requests == []


def test_connection_is_kept_until_it_was_idle_for_long(monkeypatch: pytest.MonkeyPatch) -> None:
    def serve(server: socket.socket) -> None:
        for requests in (3, 1):
            connection, _ = server.accept()
            with connection:
                for _ in range(requests):
                    assert connection.recv(65536).startswith(b"GET / ")
                    connection.sendall(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n")

    with socket.create_server((LOOPBACK, 0)) as server, ThreadPoolExecutor(1) as pool:
        server.settimeout(10)
        serving = pool.submit(serve, server)
        client = AwsClient(IDENTITY, "s3", f"http://{LOOPBACK}:{server.getsockname()[1]}")
        for _ in range(3):
            client.send("GET", "/")
        monkeypatch.setattr("lambda_app.aws.client.KEEP_SECONDS", 0)
        client.send("GET", "/")
        serving.result()
        client.close()


def test_no_secret_is_shown() -> None:
    assert IDENTITY.secret_access_key not in repr(IDENTITY)
    assert str(IDENTITY.session_token) not in repr(IDENTITY)


@pytest.fixture
def failing_server() -> Iterator[tuple[str, list[str]]]:
    """The address of a server that fails as the list says, one request after the other, and then answers."""
    failures: list[str] = []

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def handle_one_request(self) -> None:
            self.raw_requestline = self.rfile.readline()
            self.close_connection = True
            if not self.raw_requestline or not self.parse_request():
                return
            failure = failures.pop(0) if failures else ""
            self.close_connection = bool(failure)
            self.rfile.read(int(self.headers.get("content-length", 0)))
            if failure == "reset":
                return
            self.send_response_only(int(failure) if failure.isdigit() else 200)
            # A truncated body is shorter than this.
            self.send_header("content-length", "5")
            self.end_headers()
            self.wfile.write(b"mod" if failure == "truncated" else b"model")

    with http.server.ThreadingHTTPServer((LOOPBACK, 0), Handler) as server:
        threading.Thread(target=server.serve_forever, args=(0.05,)).start()
        yield f"http://{LOOPBACK}:{server.server_port}", failures
        server.shutdown()


@pytest.mark.parametrize("failure", ["500", "503", "reset", "truncated"])
def test_read_is_sent_again_once(failing_server: tuple[str, list[str]], failure: str) -> None:
    url, failures = failing_server
    client = AwsClient(IDENTITY, "s3", url)
    # On a connection that was kept, too.
    for _ in range(2):
        failures.append(failure)
        assert client.read("/any", {}).body == b"model"
    failures.extend([failure, failure])
    with pytest.raises(AWS_ERRORS):
        client.read("/any", {})
    assert failures == []
    failures.append(failure)
    with pytest.raises(AWS_ERRORS):
        client.send("POST", "/any", body=b"{}")


def test_model_is_read_although_s3_fails_once(failing_server: tuple[str, list[str]]) -> None:
    url, failures = failing_server
    failures.append("503")
    assert ModelBucket(AwsClient(IDENTITY, "s3", url)).fetch("any") == b"model"


def test_refused_read_is_not_sent_again(failing_server: tuple[str, list[str]]) -> None:
    url, failures = failing_server
    failures.append("403")
    with pytest.raises(AwsError):
        AwsClient(IDENTITY, "s3", url).read("/any", {})


def test_both_attempts_of_a_read_share_the_deadline(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lambda_app.aws.client.DEADLINE_SECONDS", 0.3)
    with socket.create_server((LOOPBACK, 0)) as silent:
        client = AwsClient(IDENTITY, "s3", f"http://{LOOPBACK}:{silent.getsockname()[1]}")
        with pytest.raises(TimeoutError):
            client.read("/any", {})
        # The first attempt has used the deadline up, so there was no second.
        silent.setblocking(False)
        silent.accept()[0].close()
        with pytest.raises(BlockingIOError):
            silent.accept()
