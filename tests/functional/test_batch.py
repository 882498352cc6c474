"""Many patients in one request: one order, all rows or none, errors that name the patient."""

from typing import Any
from uuid import UUID

import pytest

from lambda_app.http.schemas import EXAMPLE_REQUEST, MAX_BATCH
from lambda_app.log.message import MAX_MESSAGE_BYTES
from lambda_app.telemetry import LambdaHandler
from tests.events import Context
from tests.functional.helpers import DEAD_DATABASE, IMPOSSIBLE, Query, Queues, Wire, count_rows, post
from tests.functional.test_replay import find_failures, make_event


def make_patients(count: int) -> list[dict[str, Any]]:
    return [{**EXAMPLE_REQUEST, "bmi": 18 + 25 * index / count, "age": index % 80 + 10} for index in range(count)]


def post_batch(api: LambdaHandler, patients: Any, **given: Any) -> dict[str, Any]:
    return post(api, "/predict/batch", {"patients": patients}, **given)


@pytest.mark.parametrize(
    "patients",
    [[EXAMPLE_REQUEST], [EXAMPLE_REQUEST, IMPOSSIBLE, {**EXAMPLE_REQUEST, "age": 70}], make_patients(MAX_BATCH)],
    ids=len,
)
def test_each_patient_is_answered_in_order_and_as_if_alone(
    patients: list[dict[str, Any]], api: LambdaHandler, query: Query
) -> None:
    context = Context()
    body = post_batch(api, patients, context=context)["body"]
    assert body["batch_id"] == context.aws_request_id
    for index in {0, len(patients) // 2, len(patients) - 1}:
        alone = post(api, "/predict", patients[index])["body"]
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


def test_one_refused_patient_refuses_all_and_is_named(api: LambdaHandler, query: Query) -> None:
    before = count_rows(query)
    patients: list[Any] = make_patients(5)
    patients[1]["bmi"] = 500
    del patients[3]["s5"]
    patients[3]["colour"] = 1
    patients[4] = "nobody"
    answer = post_batch(api, patients)
    assert answer["statusCode"] == 422
    assert answer["body"]["errors"] == [
        {"field": "patients[1].bmi", "message": "must be a number from 10 to 80 (kg/m²)"},
        {"field": "patients[3].s5", "message": "is missing: a number from 2 to 9 (ln(mg/dL)) is required"},
        {"field": "patients[4]", "message": "must be a JSON object with the features of one patient"},
        {"field": "patients[3].colour", "message": "is not a field of this request"},
    ]
    assert count_rows(query) == before


@pytest.mark.parametrize("patients", [[], [EXAMPLE_REQUEST] * (MAX_BATCH + 1), None, {}, "all"])
def test_wrong_number_of_patients_is_422(patients: Any, api: LambdaHandler) -> None:
    answer = post_batch(api, patients)
    assert answer["statusCode"] == 422
    assert answer["body"]["errors"] == [{"field": "patients", "message": "must be a list of 1 to 1000 patients"}]


def test_of_many_faults_a_hundred_are_listed_and_the_rest_counted(api: LambdaHandler) -> None:
    answer = post_batch(api, [{}] * 1000)
    assert answer["statusCode"] == 422
    assert len(answer["body"]["errors"]) == 101
    assert answer["body"]["errors"][-1] == {"field": "body", "message": "has 9900 more refused fields"}


def test_batch_too_big_for_one_message_is_split_and_comes_together_in_the_table(
    wire: Wire, queues: Queues, query: Query
) -> None:
    answer = post_batch(wire(**DEAD_DATABASE, **queues.environment), make_patients(MAX_BATCH))
    assert (answer["statusCode"], answer["headers"]["x-prediction-record"]) == (200, "queue")
    messages = queues.drain()
    assert len(messages) > 1
    assert max(len(message.encode()) for message in messages) <= MAX_MESSAGE_BYTES + 100
    assert find_failures(wire("replay"), make_event(*messages)) == []
    rows = query(
        "SELECT request_id FROM predictions WHERE batch_id = :id ORDER BY batch_index",
        id=UUID(answer["body"]["batch_id"]),
    )
    assert [str(row[0]) for row in rows] == [one["request_id"] for one in answer["body"]["predictions"]]
