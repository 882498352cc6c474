"""Many patients in one request: one order, all rows or none, errors that name the patient."""

import json
from collections.abc import Callable
from typing import TYPE_CHECKING, Any
from uuid import UUID

import pytest

from lambda_app.http.middleware import MAX_BATCH_BODY_BYTES
from lambda_app.http.schemas import EXAMPLE_REQUEST, MAX_BATCH
from lambda_app.log.message import MAX_MESSAGE_BYTES
from lambda_app.telemetry import LambdaHandler
from local.events import read_body
from tests.events import Context, invoke, make_event
from tests.queues import QueuePair, count_messages, drain_queue

if TYPE_CHECKING:
    from types_boto3_sqs import SQSClient


def make_patients(count: int) -> list[dict[str, Any]]:
    return [{**EXAMPLE_REQUEST, "bmi": 18 + 25 * index / count, "age": index % 80 + 10} for index in range(count)]


def make_batch(patients: Any, **headers: str) -> dict[str, Any]:
    return make_event("POST", "/predict/batch", json.dumps({"patients": patients}), **headers)


@pytest.mark.parametrize("count", [1, 2, MAX_BATCH])
def test_patients_get_in_order_what_each_gets_alone(
    count: int, api: LambdaHandler, query: Callable[..., list[Any]]
) -> None:
    patients = make_patients(count)
    context = Context()
    body = read_body(api(make_batch(patients), context))["body"]
    assert body["batch_id"] == context.aws_request_id
    assert len(body["predictions"]) == count
    for index in {0, count // 2, count - 1}:
        alone = invoke(api, make_event("POST", "/predict", json.dumps(patients[index])))["body"]
        among = body["predictions"][index]
        assert among["prediction"] == pytest.approx(alone["prediction"], abs=1e-3)
        assert among["interval"] == pytest.approx(alone["interval"], abs=1e-3)
        assert among["warnings"] == alone["warnings"]
    rows = query(
        "SELECT request_id, prediction, bmi FROM predictions WHERE batch_id = :id ORDER BY batch_index",
        id=UUID(body["batch_id"]),
    )
    assert rows == [
        [UUID(one["request_id"]), one["prediction"], patient["bmi"]]
        for one, patient in zip(body["predictions"], patients, strict=True)
    ]


def test_same_request_again_makes_no_second_rows(api: LambdaHandler, query: Callable[..., list[Any]]) -> None:
    context = Context()
    first, second = (read_body(api(make_batch(make_patients(3)), context))["body"] for _ in range(2))
    assert [one["request_id"] for one in first["predictions"]] == [one["request_id"] for one in second["predictions"]]
    [[count]] = query("SELECT count(*) FROM predictions WHERE batch_id = :id", id=UUID(context.aws_request_id))
    assert count == 3


def test_one_refused_patient_refuses_all_and_is_named(api: LambdaHandler, query: Callable[..., list[Any]]) -> None:
    before = query("SELECT count(*) FROM predictions")
    patients = make_patients(5)
    patients[1]["bmi"] = 500
    del patients[3]["s5"]
    patients[3]["colour"] = 1
    patients[4] = "nobody"  # type: ignore[call-overload]
    answer = invoke(api, make_batch(patients))
    assert answer["statusCode"] == 422
    assert answer["body"]["errors"] == [
        {"field": "patients[1].bmi", "message": "must be a number from 10 to 80 (kg/m²)"},
        {"field": "patients[3].s5", "message": "is missing: a number from 2 to 9 (ln(mg/dL)) is required"},
        {"field": "patients[4]", "message": "must be a JSON object with the features of one patient"},
        {"field": "patients[3].colour", "message": "is not a field of this request"},
    ]
    assert query("SELECT count(*) FROM predictions") == before


@pytest.mark.parametrize("patients", [[], [EXAMPLE_REQUEST] * (MAX_BATCH + 1), None, {}, "all"])
def test_wrong_number_of_patients_is_422(patients: Any, api: LambdaHandler) -> None:
    answer = invoke(api, make_batch(patients))
    assert answer["statusCode"] == 422
    assert answer["body"]["errors"] == [{"field": "patients", "message": "must be a list of 1 to 1000 patients"}]


def test_many_faults_are_counted_not_all_listed(api: LambdaHandler) -> None:
    answer = invoke(api, make_batch([{}] * 1000))
    assert answer["statusCode"] == 422
    assert len(answer["body"]["errors"]) == 101
    assert answer["body"]["errors"][-1] == {"field": "body", "message": "has 9900 more refused fields"}


def test_body_limit_is_the_batch_s_own(api: LambdaHandler) -> None:
    event = make_batch(make_patients(2))
    event["body"] = event["body"].ljust(MAX_BATCH_BODY_BYTES)
    assert invoke(api, event)["statusCode"] == 200
    event["body"] += " "
    answer = invoke(api, event)
    assert (answer["statusCode"], answer["body"]["detail"]) == (413, "The body is over 524288 bytes.")


def test_batch_too_big_for_one_message_is_split_and_comes_together_in_the_table(
    wire: Callable[..., LambdaHandler], own_queues: QueuePair, sqs: "SQSClient", query: Callable[..., list[Any]]
) -> None:
    answer = invoke(wire(DATABASE_PORT="1", **own_queues.environment), make_batch(make_patients(MAX_BATCH)))
    assert (answer["statusCode"], answer["headers"]["x-prediction-record"]) == (200, "queue")
    messages = drain_queue(sqs, own_queues.url)
    assert len(messages) > 1
    assert max(len(message["Body"].encode()) for message in messages) <= MAX_MESSAGE_BYTES + 100
    event = {"Records": [{"messageId": str(n), "body": message["Body"]} for n, message in enumerate(messages)]}
    assert wire("replay")(event, Context()) == {"batchItemFailures": []}
    rows = query(
        "SELECT request_id FROM predictions WHERE batch_id = :id ORDER BY batch_index",
        id=UUID(answer["body"]["batch_id"]),
    )
    assert [str(row[0]) for row in rows] == [one["request_id"] for one in answer["body"]["predictions"]]


def test_batch_is_not_answered_when_neither_takes_it(
    wire: Callable[..., LambdaHandler], own_queues: QueuePair, sqs: "SQSClient"
) -> None:
    dead = {**own_queues.environment, "DATABASE_PORT": "1", "QUEUE_URL": "http://127.0.0.1:1/1/records"}
    answer = invoke(wire(**dead), make_batch(make_patients(2)))
    assert answer["statusCode"] == 503
    assert "predictions" not in answer["body"]
    assert count_messages(sqs, own_queues.url) == 0
