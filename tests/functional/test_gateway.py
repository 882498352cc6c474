"""local.gateway: HTTP on one side, a function's events and answers on the other."""

import asyncio
import http.client
import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

import pytest

from lambda_app.http.schemas import EXAMPLE_REQUEST
from lambda_app.telemetry import LambdaHandler
from local.errors import FunctionError
from local.function import ContainerFunction
from local.gateway import Gateway
from local.ports import LOOPBACK
from tests.api.front import serve
from tests.events import Context

JSON = {"content-type": "application/json"}


def ask(url: str, *request: Any) -> tuple[int, dict[str, str], bytes]:
    connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=30)
    try:
        connection.request(*request)
        response = connection.getresponse()
        return response.status, dict(response.getheaders()), response.read()
    finally:
        connection.close()


def test_requests_and_answers_pass_as_they_are(api: LambdaHandler) -> None:
    events: list[Mapping[str, Any]] = []

    def invoke(event: Mapping[str, Any]) -> dict[str, Any]:
        events.append(event)
        # Mangum expects the loop that a main thread has.
        loop = asyncio.new_event_loop()
        asyncio.set_event_loop(loop)
        try:
            return dict(api(dict(event), Context()))
        finally:
            asyncio.set_event_loop(None)
            loop.close()

    with serve(Gateway(invoke)) as url:
        status, headers, content = ask(url, "POST", "/predict?a=1&a=%20", json.dumps(EXAMPLE_REQUEST), JSON)
        assert (status, headers["x-prediction-record"]) == (200, "database")
        assert json.loads(content)["request_id"]
        assert events[-1]["rawQueryString"] == "a=1&a=%20"
        assert events[-1]["requestContext"]["http"]["sourceIp"] == LOOPBACK
        got, head = (ask(url, method, "/model") for method in ("GET", "HEAD"))
        assert (head[0], head[2]) == (200, b"")
        assert head[1]["content-length"] == str(len(got[2]))
        # Bytes that are no text are the client's fault, and neither the gateway's nor the function's.
        status, headers, content = ask(url, "POST", "/predict", b"\xff\x00", JSON)
        assert (status, headers["content-type"]) == (400, "application/problem+json"), content
        assert events[-1]["isBase64Encoded"]


@pytest.mark.parametrize("answer", [None, {}, {"statusCode": "many"}, {"statusCode": 200, "body": 5}])
def test_a_function_that_fails_is_a_500_without_details(
    answer: dict[str, Any] | None, capsys: pytest.CaptureFixture[str]
) -> None:
    def invoke(_: Mapping[str, Any]) -> dict[str, Any]:
        if answer is None:
            raise FunctionError("api failed with MemoryError")
        return answer

    with serve(Gateway(invoke)) as url:
        status, _, content = ask(url, "GET", "/health")
    assert (status, json.loads(content)) == (500, {"message": "Internal Server Error"})
    assert "The function gave no answer: " in capsys.readouterr().out


def test_a_container_that_is_not_there_is_named() -> None:
    with pytest.raises(FunctionError, match=r"^127\.0\.0\.2 gave no answer \(ConnectionRefusedError\)$"):
        ContainerFunction("127.0.0.2", timeout_seconds=5).invoke({})
