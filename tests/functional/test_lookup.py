"""GET /predictions/{request_id}: the caller's own records, and nothing about anybody else's."""

from typing import Any
from uuid import UUID, uuid4

import pytest

from lambda_app.http.schemas import EXAMPLE_REQUEST
from lambda_app.telemetry import LambdaHandler
from tests.functional.helpers import DEAD_DATABASE, IAM_CALLER, IMPOSSIBLE, Query, Wire, count_rows, get, post

CALLERS = {
    "iam": {"iam": {"userArn": "arn:aws:iam::123456789012:user/ada"}},
    "jwt": {"jwt": {"claims": {"sub": "auth0|5f7c8ec7c33c6c004bbafe82", "iss": "https://issuer.example"}}},
    "client": {"jwt": {"claims": {"client_id": "nightly-import", "iss": "https://issuer.example"}}},
    "nobody": None,
}


def predict(api: LambdaHandler, authorizer: Any = IAM_CALLER) -> dict[str, Any]:
    answer = post(api, "/predict", IMPOSSIBLE, authorizer=authorizer)
    assert answer["statusCode"] == 200
    return dict(answer["body"])


def look_up(api: LambdaHandler, request_id: object, authorizer: Any = IAM_CALLER) -> dict[str, Any]:
    return get(api, f"/predictions/{request_id}", authorizer=authorizer)


@pytest.mark.parametrize("caller", CALLERS)
def test_only_the_caller_gets_the_record_as_it_was_answered(caller: str, api: LambdaHandler) -> None:
    answered = predict(api, CALLERS[caller])
    for request_id in (answered["request_id"], answered["request_id"].upper()):
        found = look_up(api, request_id, CALLERS[caller])
        assert (found["statusCode"], found["body"]) == (200, {"features": IMPOSSIBLE, **answered, "outcome": None})
    for other in CALLERS.keys() - {caller}:
        # The same as for an id without a record.
        answers = [look_up(api, each, CALLERS[other]) for each in (answered["request_id"], uuid4())]
        assert [answer["statusCode"] for answer in answers] == [404, 404]
        for answer in answers:
            del answer["body"]["request_id"], answer["headers"]["x-request-id"]
        assert answers[0] == answers[1]


def test_sessions_of_a_role_share_records_and_keys(api: LambdaHandler, query: Query) -> None:
    one, other, stranger = (
        {"iam": {"userArn": f"arn:aws:sts::123456789012:assumed-role/{name}"}}
        for name in ("clinic/i-0abc", "clinic/i-0def", "ward/i-0abc")
    )
    key = {"idempotency-key": str(uuid4())}
    answered, again, apart = (
        post(api, "/predict", IMPOSSIBLE, authorizer=caller, **key)["body"] for caller in (one, other, stranger)
    )
    assert (again, apart["request_id"] == answered["request_id"]) == (answered, False)
    request_id = answered["request_id"]
    assert [look_up(api, request_id, caller)["statusCode"] for caller in (one, other, stranger)] == [200, 200, 404]
    found = query("SELECT caller, caller_session FROM predictions WHERE request_id = :id", id=UUID(request_id))
    assert found == [["arn:aws:iam::123456789012:role/clinic", "i-0abc"]]


@pytest.mark.parametrize(
    "authorizer",
    [
        {"jwt": {"claims": {"aud": "diabetes"}, "scopes": None}},
        {"jwt": {"claims": {"sub": None, "client_id": ""}}},
        {"iam": {"userArn": None}},
        {"lambda": {"sub": "ada"}},
    ],
)
def test_callers_without_a_name_have_no_records(authorizer: Any, api: LambdaHandler, query: Query) -> None:
    owned = predict(api, None)["request_id"]
    before = count_rows(query)
    refused = [
        post(api, "/predict", EXAMPLE_REQUEST, authorizer=authorizer),
        post(api, "/predict/batch", {"patients": [EXAMPLE_REQUEST]}, authorizer=authorizer),
        look_up(api, owned, authorizer),
    ]
    for answer in refused:
        assert (answer["statusCode"], answer["body"]["type"]) == (403, "urn:diabetes-ml:problem:unknown-caller")
        assert "client_id" in answer["body"]["detail"]
    assert post(api, "/explain", EXAMPLE_REQUEST, authorizer=authorizer)["statusCode"] == 200
    assert get(api, "/health", authorizer=authorizer)["statusCode"] == 200
    assert count_rows(query) == before


@pytest.mark.parametrize(
    "form",
    [
        *("{{{}}}", "urn:uuid:{}", "uuid:{}", " {}", "{}%0A", "{}\u0000", "({})"),
        *("1", "x" * 100, "5f2b8f0e-7d1c-4c7c-9f51", "' OR true --", "%00", "%ff", "%zz"),
    ],
)
def test_id_in_another_form_is_404(form: str, api: LambdaHandler) -> None:
    request_id = predict(api)["request_id"]
    for other in (form.format(request_id), request_id.replace("-", ""), f"{request_id[:8]}{request_id[9:]}"):
        answer = look_up(api, other)
        assert (answer["statusCode"], answer["body"]["type"]) == (404, "urn:diabetes-ml:problem:record-not-found")


def test_prediction_of_a_batch_is_found_and_the_batch_is_not(api: LambdaHandler) -> None:
    body = post(api, "/predict/batch", {"patients": [EXAMPLE_REQUEST]})["body"]
    [one] = body["predictions"]
    found = look_up(api, one["request_id"])["body"]
    assert found == found | one
    assert found["model_version"] == body["model_version"]
    assert look_up(api, body["batch_id"])["statusCode"] == 404


def test_row_from_before_there_were_intervals_is_shown_without(api: LambdaHandler, query: Query) -> None:
    request_id = predict(api)["request_id"]
    query(
        "UPDATE predictions SET interval_lower = NULL, interval_upper = NULL, interval_coverage = NULL,"
        " warnings = NULL WHERE request_id = :id",
        id=UUID(request_id),
    )
    found = look_up(api, request_id)["body"]
    assert (found["interval"], found["warnings"]) == (None, [])


def test_dead_database_is_503(wire: Wire) -> None:
    answer = look_up(wire(**DEAD_DATABASE), uuid4())
    assert (answer["statusCode"], answer["headers"]["retry-after"]) == (503, "10")
    assert answer["body"]["detail"] == "the database did not answer: ConnectionRefusedError"
