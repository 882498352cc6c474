"""The smoke test against the real function behind a gateway that checks signatures: what it must not let pass."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import boto3
import pytest

import deploy.call
from deploy.environment import Environment
from deploy.errors import DeployError
from deploy.smoke import SmokeTest
from lambda_app.telemetry import LambdaHandler
from local.aws_services import ACCOUNT, REGION
from local.ports import LOOPBACK, find_free_ports
from tests.bundles import Registry
from tests.deploy.conftest import KEY_ID, SECRET
from tests.functional.candidates import CANDIDATE
from tests.standins.gateway import Gateway, Handler

Wire = Callable[..., LambdaHandler]


@contextmanager
def serve(handler: Handler) -> Iterator[Gateway]:
    with Gateway(handler, None, KEY_ID, SECRET) as gateway:
        yield gateway


def make_test(url: str, secret: str = SECRET, token: str | None = None) -> SmokeTest:
    session = boto3.Session(aws_access_key_id=KEY_ID, aws_secret_access_key=secret, region_name=REGION)
    return SmokeTest(Environment("dev", ACCOUNT, REGION, session), url, token)


def fail(url: str, **options: Any) -> str:
    """The error of the smoke test, which asks only once."""
    with pytest.raises(DeployError) as raised:
        make_test(url, **options).run(patience_seconds=0)
    return str(raised.value)


def change(handler: LambdaHandler, path: str, **changed: Any) -> Handler:
    """The function with other fields in one of its answers."""

    def answer(event: dict[str, Any], context: Any) -> dict[str, Any]:
        real: dict[str, Any] = handler(event, context)
        if not event["rawPath"].startswith(path):
            return real
        return real | {"body": json.dumps(json.loads(real["body"]) | changed)}

    return answer


def test_a_service_that_works_passes_and_its_record_is_in_the_table(
    api: LambdaHandler, query: Callable[..., list[Any]]
) -> None:
    with serve(api) as gateway:
        request_id = make_test(gateway.url).run()
        assert gateway.faults == []
    [[age, caller]] = query("SELECT age, caller FROM predictions WHERE request_id = :id", id=request_id)
    assert (age, caller) == (59, "arn:aws:iam::123456789012:role/clinic")


def test_another_ones_key_gets_what_to_check(api: LambdaHandler) -> None:
    with serve(api) as gateway:
        assert fail(gateway.url, secret="wrong").startswith(
            "GET /health was answered with 403: API Gateway refused the caller. Is `aws sts get-caller-identity` who"
        )
        assert gateway.faults == ["the signature is wrong"]


def test_a_token_is_sent_in_place_of_a_signature(api: LambdaHandler) -> None:
    with serve(api) as gateway:
        assert "403" in fail(gateway.url, token="a.b.c")
        assert gateway.faults == ["it is not signed"]


def test_a_service_without_a_model_fails(wire: Wire, bucket: str) -> None:
    with serve(wire(MODEL_BUCKET=bucket)) as gateway:
        assert fail(gateway.url).startswith("GET /health was answered with 503: ")


def test_a_service_that_comes_up_late_passes(api: LambdaHandler, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("deploy.smoke.PAUSE_SECONDS", 0.01)
    # A new API, a new permission, and a function that starts.
    refusals = iter([404, 403, 503, 504])

    def start_slowly(event: dict[str, Any], context: Any) -> dict[str, Any]:
        status = next(refusals, None)
        answer: dict[str, Any] = api(event, context)
        return answer | {"statusCode": status} if status else answer

    with serve(start_slowly) as gateway:
        assert make_test(gateway.url).run(patience_seconds=30)
    assert next(refusals, None) is None


def test_a_database_that_is_away_fails_although_answers_go_out(wire: Wire) -> None:
    with serve(wire(DATABASE_PORT=str(find_free_ports(1)[0]))) as gateway:
        assert "/health says degraded: " in fail(gateway.url)


def test_a_record_in_the_queue_fails(api: LambdaHandler) -> None:
    def queue(event: dict[str, Any], context: Any) -> dict[str, Any]:
        answer: dict[str, Any] = api(event, context)
        if "x-prediction-record" in answer["headers"]:
            answer["headers"]["x-prediction-record"] = "queue"
        return answer

    with serve(queue) as gateway:
        assert fail(gateway.url) == (
            "POST /predict was answered, but its record is in: queue, and not in the database "
            "(docs/operations.md, The queue grows)"
        )


@pytest.mark.parametrize(
    ("changed", "fault"),
    [
        ({"prediction": 999.0}, "the prediction lies outside its interval"),
        ({"interval": None}, "it has no 'NoneType' object is not subscriptable"),
        ({"model_version": "old"}, "it is of model old, and /model says "),
        ({"request_id": "other"}, "X-Request-Id is not the request_id of the answer"),
    ],
)
def test_an_answer_that_is_not_what_it_should_be_fails(api: LambdaHandler, changed: dict[str, Any], fault: str) -> None:
    with serve(change(api, "/predict", **changed)) as gateway:
        assert f"POST /predict was answered, but {fault}" in fail(gateway.url)


def test_the_candidate_may_answer_in_a_canary_and_not_as_a_shadow(
    wire: Wire, registry: Registry, query: Callable[..., list[Any]]
) -> None:
    registry.add_version(CANDIDATE)
    registry.point(candidate=CANDIDATE, mode="canary")
    with serve(wire(MODEL_BUCKET=registry.bucket)) as gateway:
        request_id = make_test(gateway.url).run()
    assert query("SELECT model_version FROM predictions WHERE request_id = :id", id=request_id) == [[CANDIDATE]]
    registry.point(candidate=CANDIDATE, mode="shadow")
    with serve(change(wire(MODEL_BUCKET=registry.bucket), "/predict", model_version=CANDIDATE)) as gateway:
        assert fail(gateway.url) == (
            f"POST /predict was answered, but it is of model {CANDIDATE}, and /model says {registry.version}"
        )


def test_another_record_than_the_answer_fails(api: LambdaHandler) -> None:
    with serve(change(api, "/predictions/", prediction=1.0)) as gateway:
        assert fail(gateway.url).endswith("is not what was answered")


def test_a_service_that_does_not_answer_in_time_fails(api: LambdaHandler, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(deploy.call, "TIMEOUT_SECONDS", 0.3)
    asked: list[str] = []

    def hang(event: dict[str, Any], context: Any) -> dict[str, Any]:
        import time

        asked.append(event["rawPath"])
        time.sleep(0.6)
        answer: dict[str, Any] = api(event, context)
        return answer

    with serve(hang) as gateway:
        assert "did not answer in time" in fail(gateway.url)
    assert asked == ["/health"]


def test_nobody_at_the_address_fails() -> None:
    url = f"http://{LOOPBACK}:{find_free_ports(1)[0]}"
    assert fail(url).startswith(f"{url}: the API can't be reached: nothing answers at ")
