"""Hostile and clumsy requests: each gets a clear refusal, none a 5xx."""

import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lambda_app.http.middleware import MAX_BODY_BYTES
from lambda_app.http.schemas import EXAMPLE_REQUEST
from lambda_app.telemetry import LambdaHandler
from tests.events import Context, invoke, make_event


def predict(api: LambdaHandler, body: str | None, **headers: str) -> dict[str, Any]:
    return invoke(api, make_event("POST", "/predict", body, **headers))


@pytest.mark.parametrize(
    "body", ["{", "[" * 60_000, '{"age": ' + "9" * 5000 + "}", "{'age': 1}", '{"age": 1}}', "\x00"]
)
def test_what_is_not_json_is_400(body: str, api: LambdaHandler) -> None:
    answer = predict(api, body)
    assert (answer["statusCode"], answer["body"]["type"]) == (400, "urn:diabetes-ml:problem:malformed-json")
    assert answer["headers"]["content-type"] == "application/problem+json"


@pytest.mark.parametrize("body", [None, "", "null", "[]", '"text"', "1", "[{}]"])
def test_what_is_not_an_object_is_422(body: str | None, api: LambdaHandler) -> None:
    answer = predict(api, body)
    assert answer["statusCode"] == 422
    assert answer["body"]["errors"] == [
        {"field": "body", "message": "must be a JSON object, sent with Content-Type: application/json"}
    ]


def test_another_content_type_is_422(api: LambdaHandler) -> None:
    assert predict(api, json.dumps(EXAMPLE_REQUEST), content_type="text/plain")["statusCode"] == 422


def test_body_of_64_kib_is_read_and_one_byte_more_is_not(api: LambdaHandler) -> None:
    body = json.dumps(EXAMPLE_REQUEST)
    assert predict(api, body.ljust(MAX_BODY_BYTES))["statusCode"] == 200
    answer = predict(api, body.ljust(MAX_BODY_BYTES + 1))
    assert answer["statusCode"] == 413
    assert answer["body"]["detail"] == "The body is over 65536 bytes."


def test_wrong_method_names_the_right_one(api: LambdaHandler) -> None:
    answer = invoke(api, make_event("GET", "/predict"))
    assert (answer["statusCode"], answer["headers"]["allow"]) == (405, "POST")
    assert answer["body"]["detail"] == "It takes POST."


GET_PATHS = ["/", "/docs", "/page.js", "/openapi.json", "/model", "/health", "/health/live", "/metrics"]


@pytest.mark.parametrize("path", GET_PATHS)
def test_head_is_get_without_a_body(path: str, api: LambdaHandler) -> None:
    got, head = (invoke(api, make_event(method, path)) for method in ("GET", "HEAD"))
    assert got["body"]
    assert (head["statusCode"], head["body"], head["isBase64Encoded"]) == (got["statusCode"], "", False)
    # Of what is counted and measured the length changes from one to the next.
    passing = {"x-request-id", *(["content-length"] if path in {"/health", "/metrics"} else [])}
    assert head["headers"].keys() == got["headers"].keys()
    assert {**head["headers"], **dict.fromkeys(passing)} == {**got["headers"], **dict.fromkeys(passing)}
    assert int(head["headers"]["content-length"]) > 0


def test_head_finds_a_record_and_says_what_is_missing(api: LambdaHandler) -> None:
    request_id = predict(api, json.dumps(EXAMPLE_REQUEST))["body"]["request_id"]
    path = f"/predictions/{request_id}"
    got, head = (invoke(api, make_event(method, path)) for method in ("GET", "HEAD"))
    assert (head["statusCode"], head["body"]) == (200, "")
    assert head["headers"]["content-length"] == got["headers"]["content-length"]
    for missing, status in (("/nothing", 404), ("/predict", 405), (f"/predictions/{request_id}x", 404)):
        answer = api(make_event("HEAD", missing), Context())
        assert (answer["statusCode"], answer["body"]) == (status, "")
        assert answer["headers"]["content-type"] == "application/problem+json"


@pytest.mark.parametrize("path", GET_PATHS)
def test_head_is_among_the_methods_that_a_path_takes(path: str, api: LambdaHandler) -> None:
    answer = invoke(api, make_event("POST", path, "{}"))
    assert (answer["statusCode"], answer["headers"]["allow"]) == (405, "GET, HEAD")


@pytest.mark.parametrize(
    "path",
    [*GET_PATHS[1:], "/predict", "/predict/batch", "/explain", "/predictions/5f2b8f0e-7d1c-4c7c-9f51-0f6f6f0f7a11"],
)
@pytest.mark.parametrize("method", ["GET", "HEAD", "POST"])
def test_nothing_leads_to_another_host(path: str, method: str, api: LambdaHandler) -> None:
    for wrong in (f"{path}/", f"/{path}", f"/{path}/"):
        event = make_event(method, wrong, json.dumps(EXAMPLE_REQUEST), host="evil.example")
        answer = api(event, Context())
        assert (answer["statusCode"], answer["headers"]["content-type"]) == (404, "application/problem+json"), wrong
        assert "location" not in answer["headers"]
        assert "evil.example" not in str(answer)


def test_value_outside_training_is_answered_with_a_warning(api: LambdaHandler, manifest: dict[str, Any]) -> None:
    seen = {feature["name"]: feature for feature in manifest["features"]}["bmi"]
    answer = predict(api, json.dumps({**EXAMPLE_REQUEST, "bmi": 45}))
    assert answer["statusCode"] == 200
    assert answer["body"]["warnings"] == [
        {
            "field": "bmi",
            "message": f"is outside what training saw: {seen['minimum']:g} to {seen['maximum']:g} (kg/m²)",
        }
    ]


json_values = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(),
    lambda children: st.lists(children, max_size=3) | st.dictionaries(st.text(), children, max_size=3),
    max_leaves=8,
)
near_requests = st.fixed_dictionaries({}, optional={name: st.floats() | json_values for name in EXAMPLE_REQUEST})


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    path=st.sampled_from(["/predict", "/predict/batch", "/explain"]),
    body=st.text() | json_values.map(json.dumps) | near_requests.map(json.dumps),
)
def test_no_body_causes_a_server_error(path: str, body: str, api: LambdaHandler) -> None:
    answer = invoke(api, make_event("POST", path, body))
    assert answer["statusCode"] in {200, 400, 413, 422}
    if answer["statusCode"] != 200:
        assert answer["body"]["status"] == answer["statusCode"]
        assert answer["body"]["request_id"] == answer["headers"]["x-request-id"]
