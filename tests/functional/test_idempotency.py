"""The Idempotency-Key: one answer and one row for it, whoever else uses the same one."""

import asyncio
import json
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4

import pytest

from lambda_app.http.schemas import EXAMPLE_REQUEST
from lambda_app.telemetry import LambdaHandler
from tests.events import invoke, make_event
from tests.queues import QueuePair, count_messages

if TYPE_CHECKING:
    from types_boto3_sqs import SQSClient

Query = Callable[..., list[Any]]


def ask(api: LambdaHandler, key: str, path: str = "/predict", subject: str | None = None, **changed: Any) -> Any:
    body: Any = {**EXAMPLE_REQUEST, **changed}
    body = {"patients": [body, EXAMPLE_REQUEST]} if path.endswith("batch") else body
    event = make_event("POST", path, json.dumps(body), idempotency_key=key)
    if subject:
        event["requestContext"]["authorizer"] = {"jwt": {"claims": {"sub": subject}}}
    return invoke(api, event)


def count_rows(query: Query, *ids: str) -> int:
    [[count]] = query("SELECT count(*) FROM predictions WHERE request_id = ANY(:ids)", ids=[UUID(one) for one in ids])
    return int(count)


@pytest.mark.parametrize("path", ["/predict", "/predict/batch"])
def test_same_key_and_body_get_the_stored_answer(path: str, api: LambdaHandler, query: Query) -> None:
    key = f'"{uuid4()}"'
    [[before]] = query("SELECT count(*) FROM predictions")
    # Outside what training saw, so that there is a warning to be stored.
    first, second = (ask(api, key, path, bmi=79) for _ in range(2))
    assert (first["statusCode"], second["statusCode"]) == (200, 200)
    assert second["body"] == first["body"]
    assert "bmi" in json.dumps(first["body"])
    assert "idempotency-replayed" not in first["headers"]
    assert second["headers"]["idempotency-replayed"] == "true"
    assert second["headers"]["x-prediction-record"] == "database"
    assert second["headers"]["x-request-id"] != first["headers"]["x-request-id"]
    [[after]] = query("SELECT count(*) FROM predictions")
    assert after - before == (2 if path.endswith("batch") else 1)


def test_stored_answer_outlives_the_environment(wire: Callable[..., LambdaHandler]) -> None:
    key = f'"{uuid4()}"'
    assert ask(wire(), key)["body"] == ask(wire(), key)["body"]


def test_body_written_down_otherwise_is_the_same(api: LambdaHandler) -> None:
    key = str(uuid4())
    reordered = json.dumps(dict(reversed({**EXAMPLE_REQUEST, "age": 59.0}.items())), indent=4)
    first = ask(api, key)
    second = invoke(api, make_event("POST", "/predict", reordered, idempotency_key=f'"{key}"'))
    assert second["headers"]["idempotency-replayed"] == "true"
    assert second["body"] == first["body"]


@pytest.mark.parametrize("path", ["/predict", "/predict/batch"])
@pytest.mark.parametrize(("first", "second"), [("0", "-0.0"), ("-0", "0.0"), ("2", "2.0"), ("20", "2e1")])
def test_a_number_written_otherwise_is_the_same(first: str, second: str, path: str, api: LambdaHandler) -> None:
    def ask_with(age: str) -> dict[str, Any]:
        patient = json.dumps({**EXAMPLE_REQUEST, "age": "?"}).replace('"?"', age)
        body = f'{{"patients": [{patient}]}}' if path.endswith("batch") else patient
        return invoke(api, make_event("POST", path, body, idempotency_key=key))

    key = str(uuid4())
    answers = [ask_with(first), ask_with(second)]
    assert [answer["statusCode"] for answer in answers] == [200, 200]
    assert answers[1]["headers"]["idempotency-replayed"] == "true"
    assert answers[1]["body"] == answers[0]["body"]


def test_same_key_with_another_request_is_422(api: LambdaHandler, query: Query) -> None:
    key = f'"{uuid4()}"'
    ask(api, key)
    [[before]] = query("SELECT count(*) FROM predictions")
    for answer in (ask(api, key, bmi=33), ask(api, key, "/predict/batch")):
        assert answer["statusCode"] == 422
        assert answer["body"]["type"] == "urn:diabetes-ml:problem:idempotency-key-reused"
        assert answer["body"]["detail"].endswith(": send another key, or none.")
        assert "prediction" not in answer["body"]
    assert query("SELECT count(*) FROM predictions") == [[before]]


def test_key_belongs_to_its_caller(api: LambdaHandler) -> None:
    key = f'"{uuid4()}"'
    answers = [ask(api, key, subject=subject, bmi=20 + n) for n, subject in enumerate(("ada", "bo", None))]
    assert [answer["statusCode"] for answer in answers] == [200, 200, 200]
    assert len({answer["body"]["request_id"] for answer in answers}) == 3
    assert ask(api, key, subject="bo", bmi=21)["body"] == answers[1]["body"]


def test_concurrent_twins_make_one_row(wire: Callable[..., LambdaHandler], query: Query) -> None:
    key = f'"{uuid4()}"'
    handlers = [wire() for _ in range(6)]
    barrier = threading.Barrier(len(handlers))
    answers: list[Any] = []

    def ask_at_once(handler: LambdaHandler) -> None:
        loop = asyncio.new_event_loop()
        asyncio.set_event_loop(loop)
        barrier.wait()
        answers.append(ask(handler, key))
        loop.close()

    threads = [threading.Thread(target=ask_at_once, args=(handler,)) for handler in handlers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [answer["statusCode"] for answer in answers] == [200] * 6
    [body] = {json.dumps(answer["body"]) for answer in answers}
    assert sum("idempotency-replayed" in answer["headers"] for answer in answers) == 5
    ids = [answer["headers"]["x-request-id"] for answer in answers]
    assert count_rows(query, *ids, json.loads(body)["request_id"]) == 1


def test_refused_input_does_not_use_the_key(api: LambdaHandler) -> None:
    key = f'"{uuid4()}"'
    assert ask(api, key, bmi=-1)["statusCode"] == 422
    assert ask(api, key)["statusCode"] == 200


def test_dead_database_queues_nothing_that_has_a_key(
    wire: Callable[..., LambdaHandler], own_queues: QueuePair, sqs: "SQSClient"
) -> None:
    answer = ask(wire(DATABASE_PORT="1", **own_queues.environment), f'"{uuid4()}"')
    assert answer["statusCode"] == 503
    assert answer["headers"]["retry-after"] == "10"
    assert answer["body"]["detail"].endswith("only it knows whether the Idempotency-Key was used")
    assert count_messages(sqs, own_queues.url) == 0


@pytest.mark.parametrize(
    "key",
    ["", '""', '"open', 'open"', "two words", '"a", "b"', "a,b", "é", '"é"', "a" * 256, '"\\"', "a;b=c", "\t"],
)
def test_malformed_key_is_400(key: str, api: LambdaHandler) -> None:
    answer = ask(api, key)
    assert answer["statusCode"] == 400
    assert answer["body"]["type"] == "urn:diabetes-ml:problem:malformed-idempotency-key"


@pytest.mark.parametrize("key", ['"two words"', '"\\"quoted\\" and \\\\"', "a" * 255, "order:17/3", "a.b_c-d~"])
def test_well_formed_key_is_taken(key: str, api: LambdaHandler, query: Query) -> None:
    subject = str(uuid4())
    assert ask(api, key, subject=subject)["statusCode"] == 200
    assert ask(api, key, subject=subject)["headers"]["idempotency-replayed"] == "true"
