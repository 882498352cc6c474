"""GET /predictions/{request_id}: the caller's own records, and nothing about anybody else's."""

import json
from collections.abc import Callable
from typing import Any
from uuid import UUID, uuid4

import pytest

from lambda_app.http.schemas import EXAMPLE_REQUEST
from lambda_app.telemetry import LambdaHandler
from tests.events import invoke, make_event

CALLERS = {
    "iam": {"iam": {"userArn": "arn:aws:iam::123456789012:user/ada"}},
    "jwt": {"jwt": {"claims": {"sub": "auth0|5f7c8ec7c33c6c004bbafe82", "iss": "https://issuer.example"}}},
    "client": {"jwt": {"claims": {"client_id": "nightly-import", "iss": "https://issuer.example"}}},
    "nobody": None,
}


def send(api: LambdaHandler, method: str, path: str, caller: str, body: str | None = None) -> dict[str, Any]:
    event = make_event(method, path, body)
    del event["requestContext"]["authorizer"]
    if CALLERS[caller]:
        event["requestContext"]["authorizer"] = CALLERS[caller]
    return invoke(api, event)


def predict(api: LambdaHandler, caller: str) -> dict[str, Any]:
    answer = send(api, "POST", "/predict", caller, json.dumps({**EXAMPLE_REQUEST, "bmi": 79}))
    assert answer["statusCode"] == 200
    body: dict[str, Any] = answer["body"]
    return body


@pytest.mark.parametrize("caller", CALLERS)
def test_caller_gets_the_record_as_it_was_answered(caller: str, api: LambdaHandler) -> None:
    answered = predict(api, caller)
    found = send(api, "GET", f"/predictions/{answered['request_id']}", caller)
    assert found["statusCode"] == 200
    assert found["body"] == {"features": {**EXAMPLE_REQUEST, "bmi": 79}, **answered}


@pytest.mark.parametrize("owner", CALLERS)
def test_others_cannot_tell_a_record_from_none(owner: str, api: LambdaHandler) -> None:
    request_id = predict(api, owner)["request_id"]
    for other in CALLERS.keys() - {owner}:
        others = send(api, "GET", f"/predictions/{request_id}", other)
        absent = send(api, "GET", f"/predictions/{uuid4()}", other)
        assert others["statusCode"] == absent["statusCode"] == 404
        for answer in (others, absent):
            del answer["body"]["request_id"], answer["headers"]["x-request-id"]
        assert others == absent


NAMELESS: list[Any] = [
    {"jwt": {"claims": {"aud": "diabetes"}, "scopes": None}},
    {"jwt": {"claims": {"sub": None, "client_id": ""}}},
    {"iam": {"userArn": None}},
    {"lambda": {"sub": "ada"}},
]


@pytest.mark.parametrize("authorizer", NAMELESS)
def test_strangers_without_a_name_share_no_records(
    authorizer: Any, api: LambdaHandler, query: Callable[..., list[Any]]
) -> None:
    bodies = {"/predict": EXAMPLE_REQUEST, "/predict/batch": {"patients": [EXAMPLE_REQUEST]}}
    requests = [("POST", path, json.dumps(body)) for path, body in bodies.items()]
    open_to_all = [("POST", "/explain", json.dumps(EXAMPLE_REQUEST)), ("GET", "/health", None), ("GET", "/model", None)]
    [[before]] = query("SELECT count(*) FROM predictions")
    owned = predict(api, "nobody")["request_id"]
    for request in [*requests, ("GET", f"/predictions/{owned}", None), *open_to_all]:
        event = make_event(*request)
        event["requestContext"]["authorizer"] = authorizer
        answer = invoke(api, event)
        if request in open_to_all:
            assert answer["statusCode"] == 200
        else:
            assert (answer["statusCode"], answer["body"]["type"]) == (403, "urn:diabetes-ml:problem:unknown-caller")
            assert "client_id" in answer["body"]["detail"]
    assert query("SELECT count(*) FROM predictions") == [[before + 1]]


def test_id_is_found_in_either_case(api: LambdaHandler) -> None:
    answered = predict(api, "iam")
    found = send(api, "GET", f"/predictions/{answered['request_id'].upper()}", "iam")
    assert (found["statusCode"], found["body"]["request_id"]) == (200, answered["request_id"])


@pytest.mark.parametrize("form", ["{{{}}}", "urn:uuid:{}", "uuid:{}", " {}", "{}%0A", "{}\u0000", "({})"])
def test_id_has_one_form(form: str, api: LambdaHandler) -> None:
    request_id = predict(api, "iam")["request_id"]
    for other in (form.format(request_id), request_id.replace("-", ""), f"{request_id[:8]}{request_id[9:]}"):
        answer = send(api, "GET", f"/predictions/{other}", "iam")
        assert (answer["statusCode"], answer["body"]["type"]) == (404, "urn:diabetes-ml:problem:record-not-found")


@pytest.mark.parametrize("request_id", ["1", "x" * 100, "5f2b8f0e-7d1c-4c7c-9f51", "' OR true --", "%00", "%ff", "%zz"])
def test_what_is_no_id_is_404(request_id: str, api: LambdaHandler) -> None:
    answer = send(api, "GET", f"/predictions/{request_id}", "iam")
    assert (answer["statusCode"], answer["body"]["type"]) == (404, "urn:diabetes-ml:problem:record-not-found")


def test_prediction_of_a_batch_is_found_and_the_batch_is_not(api: LambdaHandler) -> None:
    body = send(api, "POST", "/predict/batch", "iam", json.dumps({"patients": [EXAMPLE_REQUEST]}))["body"]
    [one] = body["predictions"]
    found = send(api, "GET", f"/predictions/{one['request_id']}", "iam")["body"]
    assert {name: found[name] for name in one} == one
    assert found["model_version"] == body["model_version"]
    assert send(api, "GET", f"/predictions/{body['batch_id']}", "iam")["statusCode"] == 404


def test_row_from_before_there_were_intervals_is_shown_without(
    api: LambdaHandler, query: Callable[..., list[Any]]
) -> None:
    request_id = predict(api, "nobody")["request_id"]
    query(
        "UPDATE predictions SET interval_lower = NULL, interval_upper = NULL, interval_coverage = NULL,"
        " warnings = NULL WHERE request_id = :id",
        id=UUID(request_id),
    )
    found = send(api, "GET", f"/predictions/{request_id}", "nobody")["body"]
    assert (found["interval"], found["warnings"]) == (None, [])


def test_dead_database_is_503(wire: Callable[..., LambdaHandler]) -> None:
    answer = send(wire(DATABASE_PORT="1"), "GET", f"/predictions/{uuid4()}", "iam")
    assert answer["statusCode"] == 503
    assert answer["headers"]["retry-after"] == "10"
    assert answer["body"]["detail"] == "the database did not answer: ConnectionRefusedError"
