"""`subject`: the caller's reference to a case is stored and returned, is part of the request, and is in no log."""

import json
from typing import Any
from uuid import UUID, uuid4

import pytest

from lambda_app.http.schemas import EXAMPLE_REQUEST
from lambda_app.telemetry import LambdaHandler
from tests.functional.helpers import DEAD_DATABASE, Query, Queues, Wire, get, post, read_row
from tests.functional.test_replay import find_failures, make_event

SUBJECT = 'Station "South"/4711 #~'


@pytest.mark.parametrize("subject", [SUBJECT, "x" * 128, " ", None])
def test_subject_is_stored_and_returned(subject: str | None, api: LambdaHandler, query: Query) -> None:
    answered = post(api, "/predict", {**EXAMPLE_REQUEST, "subject": subject})
    assert (answered["statusCode"], answered["body"]["subject"]) == (200, subject)
    request_id = answered["body"]["request_id"]
    assert read_row(query, request_id)["subject"] == subject
    assert get(api, f"/predictions/{request_id}")["body"]["subject"] == subject


def test_each_case_of_a_batch_has_its_own(api: LambdaHandler, query: Query) -> None:
    subjects = ["a", None, "b"]
    cases = [{**EXAMPLE_REQUEST, "subject": subject} for subject in subjects]
    body = post(api, "/predict/batch", {"patients": cases})["body"]
    assert [prediction["subject"] for prediction in body["predictions"]] == subjects
    rows = query("SELECT subject FROM predictions WHERE batch_id = :id ORDER BY batch_index", id=UUID(body["batch_id"]))
    assert rows == [[subject] for subject in subjects]


@pytest.mark.parametrize(
    "subject", ["", "x" * 129, "a\nb", "a\n", "\u00e9", "a\x00b", "\u200b", 4711, 1.5, True, ["a"], {}]
)
def test_another_subject_is_refused_by_name_and_limit(subject: Any, api: LambdaHandler) -> None:
    message = "must be a text of 1 to 128 printable ASCII characters, or null"
    case = {**EXAMPLE_REQUEST, "subject": subject}
    for path, body, field in (
        ("/predict", case, "subject"),
        ("/predict/batch", {"patients": [EXAMPLE_REQUEST, case]}, "patients[1].subject"),
    ):
        answer = post(api, path, body)
        assert (answer["statusCode"], answer["body"]["errors"]) == (422, [{"field": field, "message": message}])


def test_key_is_for_one_subject(api: LambdaHandler) -> None:
    key = {"idempotency-key": str(uuid4())}
    first = post(api, "/predict", {**EXAMPLE_REQUEST, "subject": "a"}, **key)
    again = post(api, "/predict", {**EXAMPLE_REQUEST, "subject": "a"}, **key)
    assert again["body"] == first["body"]
    for other in ({"subject": "b"}, {}):
        assert post(api, "/predict", {**EXAMPLE_REQUEST, **other}, **key)["statusCode"] == 422


def test_explanation_takes_the_same_body(api: LambdaHandler) -> None:
    with_subject, without = (post(api, "/explain", {**EXAMPLE_REQUEST, **more}) for more in ({"subject": SUBJECT}, {}))
    assert with_subject["statusCode"] == 200
    for answer in (with_subject, without):
        del answer["body"]["request_id"]
    assert with_subject["body"] == without["body"]


def test_subject_is_in_no_log_and_passes_the_queue(
    wire: Wire, queues: Queues, query: Query, capsys: pytest.CaptureFixture[str]
) -> None:
    subject = f"never-in-a-log-{uuid4()}"
    api = wire(**DEAD_DATABASE, **queues.environment)
    answered = post(api, "/predict", {**EXAMPLE_REQUEST, "subject": subject})
    assert answered["headers"]["x-prediction-record"] == "queue"
    post(wire(), "/predict", {**EXAMPLE_REQUEST, "subject": subject, "bmi": "wrong"})
    [body] = queues.drain()
    assert find_failures(wire("replay"), make_event(body)) == []
    assert read_row(query, answered["body"]["request_id"])["subject"] == subject
    out, err = capsys.readouterr()
    assert json.loads(body)["records"][0]["subject"] == subject
    assert subject not in out + err
