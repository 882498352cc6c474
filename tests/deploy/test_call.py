"""`python -m deploy call` as a person runs it, against the real function behind TLS and a check of the signature."""

import base64
import json
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest

from deploy.call import Answer, explain_refusal, read_event, send_event
from deploy.errors import CallError
from lambda_app.telemetry import LambdaHandler
from local.aws_services import REGION
from local.certificates import Certificates
from local.ports import LOOPBACK, find_free_ports
from tests.deploy.conftest import KEY_ID, REPOSITORY, SECRET
from tests.events import EVENTS, FOREIGN, NAMES, check_answer
from tests.standins.gateway import Gateway


@pytest.fixture
def gateway(api: LambdaHandler, certificates: Certificates) -> Iterator[Gateway]:
    with Gateway(api, certificates.server, KEY_ID, SECRET) as gateway:
        yield gateway


@pytest.fixture
def call(certificates: Certificates) -> Any:
    """Run the command as the holder of the key, with some variables changed."""

    def run(
        url: str, event: str, *arguments: str, stdout: int = subprocess.PIPE, **changed: str
    ) -> subprocess.CompletedProcess[str]:
        inherited = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "API_TOKEN"))}
        own = {
            "AWS_ACCESS_KEY_ID": KEY_ID,
            "AWS_SECRET_ACCESS_KEY": SECRET,
            "AWS_DEFAULT_REGION": REGION,
            "AWS_CA_BUNDLE": str(certificates.ca_path),
            "AWS_CONFIG_FILE": os.devnull,
            "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
            "AWS_EC2_METADATA_DISABLED": "true",
        }
        command = [sys.executable, "-m", "deploy", "call", "--url", url, "--event", event, *arguments]
        environment = {name: value for name, value in (inherited | own | changed).items() if value}
        return subprocess.run(
            command,
            cwd=REPOSITORY,
            env=environment,
            stdout=stdout,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
            timeout=60,
        )

    return run


@pytest.mark.parametrize("name", sorted(set(NAMES) - FOREIGN))
def test_every_sample_event_gets_its_answer_by_https_too(
    gateway: Gateway, certificates: Certificates, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_CA_BUNDLE", str(certificates.ca_path))
    session = boto3.Session(aws_access_key_id=KEY_ID, aws_secret_access_key=SECRET, region_name=REGION)
    answer = send_event(gateway.url, read_event(EVENTS / f"{name}.json"), session)
    assert gateway.faults == []
    compressed = "content-encoding" in answer.headers
    body = base64.b64encode(answer.body) if compressed else answer.body
    answered = {"statusCode": answer.status, "headers": dict(answer.headers)}
    check_answer(name, {**answered, "body": body.decode(), "isBase64Encoded": compressed})


def test_an_answer_is_shown_with_the_headers_that_say_something(gateway: Gateway, call: Any) -> None:
    done = call(gateway.url, "events/predict.json")
    assert (done.returncode, done.stderr) == (0, "")
    head, _, body = done.stdout.partition("\n\n")
    prediction = json.loads(body)
    assert head.splitlines() == [
        "200",
        "content-type: application/json",
        "x-prediction-record: database",
        f"x-request-id: {prediction['request_id']}",
    ]


def test_a_compressed_answer_is_shown_as_text(gateway: Gateway, call: Any) -> None:
    done = call(gateway.url, "events/docs_style.json")
    assert (done.returncode, done.stderr) == (0, "")
    assert "\n\n.swagger-ui{" in done.stdout


def test_a_refused_input_is_shown_and_fails(gateway: Gateway, call: Any) -> None:
    done = call(gateway.url, "events/predict_invalid.json")
    assert done.returncode == 1
    assert done.stdout.startswith("422\ncontent-type: application/problem+json\n")
    assert done.stderr == ""


def test_a_refusal_of_the_service_is_not_explained_as_the_gateways() -> None:
    assert explain_refusal(Answer(403, {"content-type": "application/problem+json"}, b"{}")) is None


def test_a_reader_who_has_seen_enough_gets_no_traceback(gateway: Gateway, call: Any) -> None:
    """`| head`, but surely gone before the first line is written."""
    read_end, write_end = os.pipe()
    os.close(read_end)
    done = call(gateway.url, "events/health.json", stdout=write_end)
    os.close(write_end)
    assert (done.returncode, done.stderr) == (1, "")
    assert gateway.faults == []


@pytest.mark.parametrize(
    ("changed", "arguments", "fault"),
    [
        ({"AWS_SECRET_ACCESS_KEY": "wrong"}, [], "the signature is wrong"),
        ({}, ["--region", "us-east-1"], "the credential is of another identity, day, region or service"),
        ({}, ["--token", "a.b.c"], "it is not signed"),
        ({"API_TOKEN": "a.b.c"}, [], "it is not signed"),
    ],
)
def test_who_is_not_let_in_is_told_what_to_check(
    gateway: Gateway, call: Any, changed: dict[str, str], arguments: list[str], fault: str
) -> None:
    done = call(gateway.url, "events/predict.json", *arguments, **changed)
    assert gateway.faults == [fault]
    assert done.returncode == 1
    assert done.stdout.startswith("403\n")
    assert done.stderr.strip().startswith(
        "API Gateway refused the caller. Is `aws sts get-caller-identity` who you mean"
    )


def test_a_token_that_is_refused_gets_what_to_check() -> None:
    assert "--token" in (explain_refusal(Answer(401, {}, b"")) or "")
    assert explain_refusal(Answer(503, {}, b"")) is None


@pytest.mark.parametrize(
    ("event", "line"),
    [
        ("events/none.json", "can't read events/none.json: No such file or directory"),
        ("events/replay.json", "events/replay.json is no request: it must be an event of API Gateway, format 2.0"),
        ("README.md", "README.md is not JSON"),
        ("events", "can't read events: Is a directory"),
    ],
)
def test_what_is_no_request_is_not_sent(call: Any, event: str, line: str) -> None:
    check_line(call("https://localhost", event), line)


@pytest.mark.parametrize("url", ["http://example.com", "example.com", "https://", "https://[::1", "https://a:b"])
def test_measurements_go_nowhere_without_tls(call: Any, url: str) -> None:
    reason = "it must be https://HOST, or http://127.0.0.1 on this machine"
    check_line(call(url, "events/predict.json"), f"{url!r} is no address of an API: {reason}")


@pytest.mark.parametrize(
    ("changed", "line"),
    [
        ({"AWS_DEFAULT_REGION": ""}, "no region: pass the API's with --region"),
        ({"AWS_DEFAULT_REGION": "x y"}, "'x y' is not the name of a region, such as eu-west-1"),
        ({"AWS_SECRET_ACCESS_KEY": ""}, "the AWS credentials are incomplete: AWS_SECRET_ACCESS_KEY is missing"),
        ({"API_TOKEN": "a\nb"}, "the token holds characters that no token has, such as a line break"),
        ({"AWS_PROFILE": "nobody"}, "there is no AWS profile nobody: check AWS_PROFILE"),
        ({"AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": ""}, "no AWS credentials: set AWS_PROFILE, or run `aws"),
    ],
)
def test_what_a_signature_needs_is_told(call: Any, changed: dict[str, str], line: str) -> None:
    check_line(call("https://localhost", "events/predict.json", **changed), line)


def check_line(done: subprocess.CompletedProcess[str], line: str) -> None:
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith(f"Error: {line}")
    assert len(done.stderr.splitlines()) == 1


def test_nobody_at_the_address_gets_one_line(call: Any) -> None:
    url = f"https://{LOOPBACK}:{find_free_ports(1)[0]}"
    done = call(url, "events/predict.json")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == f"Error: the API can't be reached: nothing answers at {url.removeprefix('https://')}\n"


def test_what_goes_without_tls_meets_no_proxy(call: Any) -> None:
    here, proxy = (socket.create_server((LOOPBACK, 0)) for _ in range(2))
    with here, proxy:
        address = f"http://{LOOPBACK}:{proxy.getsockname()[1]}"
        named = {"http_proxy": address, "HTTP_PROXY": address, "no_proxy": "", "NO_PROXY": ""}
        url = f"http://{LOOPBACK}:{here.getsockname()[1]}"
        asked = threading.Thread(target=answer_nothing, args=(here,))
        asked.start()
        done = call(url, "events/predict.json", **named)
        asked.join()
        proxy.setblocking(False)
        with pytest.raises(BlockingIOError):
            proxy.accept()
    assert (done.returncode, len(done.stderr.splitlines())) == (1, 1)


def answer_nothing(listener: socket.socket) -> None:
    listener.settimeout(60)
    listener.accept()[0].close()


def test_a_certificate_that_is_not_the_apis_is_refused(gateway: Gateway, call: Any) -> None:
    done = call(gateway.url, "events/predict.json", AWS_CA_BUNDLE="")
    assert done.returncode == 1
    assert done.stderr.startswith("Error: the API can't be trusted: the certificate of")


def test_the_region_is_the_one_in_the_apis_name() -> None:
    from deploy.call import _make_request, _sign

    request = _make_request("https://a1b2.execute-api.us-east-2.amazonaws.com", read_event(EVENTS / "predict.json"))
    _sign(request, boto3.Session(aws_access_key_id=KEY_ID, aws_secret_access_key=SECRET, region_name=REGION), None)
    assert "/us-east-2/execute-api/aws4_request" in request.headers["Authorization"]


def test_what_only_an_event_has_is_sent_as_the_request_that_it_was(tmp_path: Path) -> None:
    from deploy.call import _make_request

    event = read_event(EVENTS / "predict_base64.json") | {"rawQueryString": "a=1&b=%20", "cookies": ["c=1", "d=2"]}
    request = _make_request("https://api.example.com/", event)
    assert request.url == "https://api.example.com/predict?a=1&b=%20"
    assert request.headers["cookie"] == "c=1; d=2"
    assert json.loads(request.data or b"{}")["age"] == 59
    of_the_way = ("x-forwarded", "host", "content-length")
    assert not [name for name in request.headers if name.lower().startswith(of_the_way)]


def test_an_answer_that_is_no_json_is_told_so() -> None:
    with pytest.raises(CallError, match="the answer, status 200, is no JSON"):
        Answer(200, {}, b"<html>").read_json()
