"""The API of an environment: found by its name, and asked again while it is busy."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import boto3
import pytest

from deploy.environment import Environment
from lambda_app.project import PREFIX
from local.aws_services import ACCOUNT, REGION, AwsServices
from stacks.api import connect_api, find_url
from stacks.errors import ReachError, UnansweredError
from tests.standins.http import HttpServer, Request, Response
from training.live.errors import LiveError
from training.live.outcomes import import_outcomes


class Busy(HttpServer):
    """Gives the answers in turn, and the last one from then on."""

    def __init__(self, *answers: Response) -> None:
        super().__init__()
        self._answers = list(answers)
        self.requests: list[Request] = []

    def _answer(self, request: Request) -> Response:
        self.requests.append(request)
        return self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]


@pytest.fixture
def dev(aws: AwsServices, monkeypatch: pytest.MonkeyPatch) -> Environment:
    monkeypatch.setenv("AWS_ENDPOINT_URL_APIGATEWAYV2", aws.endpoint_url)
    session = boto3.Session(aws_access_key_id="local", aws_secret_access_key="local", region_name=REGION)
    return Environment("dev", ACCOUNT, REGION, session)


@pytest.fixture
def gateway(dev: Environment) -> Iterator[Any]:
    client: Any = dev.session.client("apigatewayv2")
    yield client
    for api in client.get_apis()["Items"]:
        client.delete_api(ApiId=api["ApiId"])


def test_the_api_is_found_by_its_name(dev: Environment, gateway: Any) -> None:
    with pytest.raises(ReachError, match=f"there is no API {PREFIX}-dev in {REGION}: deploy dev first"):
        find_url(dev)
    for name in (f"{PREFIX}-prod", f"{PREFIX}-dev"):
        made = gateway.create_api(Name=name, ProtocolType="HTTP")
    assert find_url(dev) == made["ApiEndpoint"]


def test_a_custom_domain_takes_its_place(dev: Environment, gateway: Any) -> None:
    made = gateway.create_api(Name=f"{PREFIX}-dev", ProtocolType="HTTP", DisableExecuteApiEndpoint=True)
    with pytest.raises(ReachError, match="its own is off, and no domain leads to it"):
        find_url(dev)
    gateway.create_domain_name(DomainName="api.example.org", DomainNameConfigurations=[{}])
    gateway.create_api_mapping(ApiId=made["ApiId"], DomainName="api.example.org", Stage="$default")
    assert find_url(dev) == "https://api.example.org"


def send(url: str, dev: Environment, monkeypatch: pytest.MonkeyPatch, path: Path) -> Any:
    monkeypatch.setattr("stacks.api.find_url", lambda _: url)
    monkeypatch.setattr("training.live.outcomes.LONGEST_PAUSE_SECONDS", 0.01)
    return import_outcomes(path, "dev", connect_api(dev), report_row=lambda _: None, report_refused=lambda *_: None)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "outcomes.csv"
    path.write_text(f"request_id,value,observed_at\n{uuid4()},151,2026-01-31T12:00:00Z\n")
    return path


JSON = {"content-type": "application/json"}
TAKEN = Response(200, JSON | {"x-outcome-record": "queue"}, b'{"outcomes": 1}')


def test_a_busy_service_is_asked_again(dev: Environment, monkeypatch: pytest.MonkeyPatch, file: Path) -> None:
    refusals = [Response(status, JSON | {"retry-after": "1"}, b"{}") for status in (503, 429, 502)]
    with Busy(*refusals, TAKEN) as server:
        done = send(server.url, dev, monkeypatch, file)
    assert (done.rows, done.recorded, done.refused) == (1, {"queue": 1}, 0)
    # The same body each time, signed for the region of the environment.
    assert len({request.body for request in server.requests}) == 1
    assert len(server.requests) == 4
    assert f"/{REGION}/execute-api/" in server.requests[0].headers["authorization"]
    assert json.loads(server.requests[0].body)["outcomes"][0]["value"] == 151.0


def test_a_service_that_stays_busy_is_given_up_and_nothing_is_settled(
    dev: Environment, monkeypatch: pytest.MonkeyPatch, file: Path
) -> None:
    with Busy(Response(503, JSON, b"{}")) as server, pytest.raises(LiveError, match=r"status 503.* goes on from here"):
        send(server.url, dev, monkeypatch, file)
    assert len(server.requests) == 8
    assert not file.with_name("outcomes.csv.sent").exists()


def test_a_caller_that_may_not_report_is_told_so(dev: Environment, monkeypatch: pytest.MonkeyPatch, file: Path) -> None:
    with Busy(Response(403, JSON, b'{"message": "Forbidden"}')) as server:
        with pytest.raises(ReachError, match="API Gateway refused the caller"):
            send(server.url, dev, monkeypatch, file)
        assert len(server.requests) == 1


def test_without_an_answer_it_says_so(dev: Environment, monkeypatch: pytest.MonkeyPatch, file: Path) -> None:
    with Busy(TAKEN) as server:
        url = server.url
    monkeypatch.setattr("training.live.outcomes.ATTEMPTS", 2)
    with pytest.raises(UnansweredError, match="can't be reached"):
        send(url, dev, monkeypatch, file)
