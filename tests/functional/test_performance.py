"""/performance: the newest report as S3 has it, once; what it says without a report, without S3, and of a wrong one."""

import http.client
import json
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest

from lambda_app.http.performance import REPORT_KEY
from lambda_app.telemetry import LambdaHandler
from tests.bundles import Registry
from tests.functional.helpers import Wire, get, send
from tests.reports import make_report
from tests.standins.http import HttpServer, Request, Response

if TYPE_CHECKING:
    from types_boto3_s3 import S3Client

REPORT = json.dumps(make_report()).encode()


class S3Front(HttpServer):
    """Passes each request on to the emulator of S3, and keeps its path."""

    def __init__(self, url: str) -> None:
        super().__init__()
        self._netloc = urlsplit(url).netloc
        self.paths: list[str] = []

    def _answer(self, request: Request) -> Response:
        self.paths.append(request.target)
        connection = http.client.HTTPConnection(self._netloc)
        connection.request(request.method, request.target, request.body, dict(request.headers))
        answer = connection.getresponse()
        response = Response(answer.status, dict(answer.getheaders()), answer.read())
        connection.close()
        return response


@pytest.fixture
def reporting(wire: Wire, registry: Registry) -> LambdaHandler:
    """The api beside a bucket with a report."""
    registry.write(REPORT_KEY, REPORT)
    return wire(MODEL_BUCKET=registry.bucket)


def test_the_newest_report_is_returned_as_it_is(reporting: LambdaHandler, registry: Registry) -> None:
    first = get(reporting, "/performance")
    assert (first["statusCode"], first["body"]) == (200, json.loads(REPORT))
    assert first["headers"]["content-type"] == "application/json"
    newer = make_report(misses=0.3)
    registry.write(REPORT_KEY, json.dumps(newer).encode())
    second = get(reporting, "/performance")
    assert second["body"] == newer
    assert second["headers"]["etag"] != first["headers"]["etag"]


def test_a_browser_that_has_the_report_does_not_get_it_again(reporting: LambdaHandler, registry: Registry) -> None:
    first = get(reporting, "/performance")["headers"]
    assert first["cache-control"] == "no-cache"
    again = get(reporting, "/performance", if_none_match=f'"other", {first["etag"]}')
    assert (again["statusCode"], again["body"], again["headers"]["etag"]) == (304, "", first["etag"])
    assert again["headers"]["content-type"] == first["content-type"]
    registry.write(REPORT_KEY, json.dumps(make_report(seed=2)).encode())
    assert get(reporting, "/performance", if_none_match=first["etag"])["statusCode"] == 200


def test_head_is_get_without_a_body(reporting: LambdaHandler) -> None:
    answer = send(reporting, "HEAD", "/performance")
    assert (answer["statusCode"], answer["body"]) == (200, "")
    assert answer["headers"]["etag"] == get(reporting, "/performance")["headers"]["etag"]


def test_before_the_first_report_there_is_none(wire: Wire, registry: Registry) -> None:
    api = wire(MODEL_BUCKET=registry.bucket)
    answer = get(api, "/performance")
    assert (answer["statusCode"], answer["body"]["title"]) == (404, "There is no report yet")
    registry.write(REPORT_KEY, REPORT)
    assert get(api, "/performance")["statusCode"] == 200


@pytest.mark.parametrize(
    "content",
    [
        *(b"", b"{", b"[]", b"null", b"\xff", b'{"format": 1}', b"[" * 100_000),
        json.dumps({**make_report(), "format": 2}).encode(),
        json.dumps({**make_report(), "drift": {"tests": [float("nan")]}}).encode(),
        json.dumps({**make_report(), "versions": [1]}).encode(),
    ],
    ids=["empty", "torn", "list", "null", "bytes", "short", "deep", "other-format", "nan", "other-fields"],
)
def test_a_report_that_cannot_be_read_is_a_problem(wire: Wire, registry: Registry, content: bytes) -> None:
    registry.write(REPORT_KEY, content)
    api = wire(MODEL_BUCKET=registry.bucket)
    answer = get(api, "/performance")
    assert (answer["statusCode"], answer["body"]["type"].rpartition(":")[2]) == (503, "report-unreadable")
    assert answer["body"]["detail"] == "reports/performance.json has another format than 1, or is damaged."
    # The next report ends it.
    registry.write(REPORT_KEY, REPORT)
    assert get(api, "/performance")["body"] == json.loads(REPORT)


def test_without_s3_one_shall_ask_again(wire: Wire, client: "S3Client", registry: Registry) -> None:
    registry.write(REPORT_KEY, REPORT)
    with S3Front(client.meta.endpoint_url) as s3:
        api = wire(MODEL_BUCKET=registry.bucket, AWS_ENDPOINT_URL=s3.url)
        assert get(api, "/performance")["statusCode"] == 200
    answer = get(api, "/performance")
    problem: dict[str, Any] = answer["body"]
    assert (answer["statusCode"], answer["headers"]["retry-after"]) == (503, "10")
    assert problem["title"] == "The report could not be read"
    assert problem["detail"].startswith("reports/performance.json cannot be read from S3: ")


def test_the_report_is_asked_for_only_by_a_request(wire: Wire, client: "S3Client", registry: Registry) -> None:
    registry.write(REPORT_KEY, REPORT)
    with S3Front(client.meta.endpoint_url) as s3:
        api = wire(MODEL_BUCKET=registry.bucket, AWS_ENDPOINT_URL=s3.url)
        get(api, "/model")
        assert s3.paths
        assert [path for path in s3.paths if REPORT_KEY in path] == []
        for _ in range(2):
            get(api, "/performance")
        assert [path for path in s3.paths if REPORT_KEY in path] == [f"/{registry.bucket}/{REPORT_KEY}"] * 2


def test_off_with_the_pages(wire: Wire) -> None:
    assert get(wire(PAGES="off"), "/performance")["body"]["type"].endswith(":not-found")
