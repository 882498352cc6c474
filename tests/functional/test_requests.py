"""Hostile and clumsy requests: each gets a clear refusal, none a 5xx."""

import gzip
import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lambda_app.http.middleware import MAX_BATCH_BODY_BYTES, MAX_BODY_BYTES
from lambda_app.http.schemas import EXAMPLE_REQUEST
from lambda_app.telemetry import LambdaHandler
from tests.functional.helpers import get, post, send

SOUND = json.dumps(EXAMPLE_REQUEST)
PATHS = ["/predict", "/predict/batch", "/explain", "/outcomes"]
GET_PATHS = [
    *("/", "/docs", "/page.js", "/swagger-ui.css", "/openapi.json"),
    *("/model", "/health", "/health/live", "/metrics"),
]
PROBLEM = "application/problem+json"

NO_JSON = "The body could not be read as JSON."
NO_UTF_8 = "The body must be JSON in UTF-8."
HALF_A_PAIR = "The body has half of a surrogate pair, such as \\ud800 alone, which is no character."
ENDLESS = "The body has a number with thousands of digits, or is nested too deep."


def make_body(age: str) -> str:
    """The body with this JSON text in place of the age."""
    return json.dumps({**EXAMPLE_REQUEST, "age": "AGE"}).replace('"AGE"', age)


def add(members: str, body: str = SOUND) -> str:
    """The body with more members at its end."""
    return f"{body[:-1]}, {members}}}"


@pytest.mark.parametrize(
    ("body", "detail"),
    [
        *((body, NO_JSON) for body in ("{", "{'age': 1}", '{"age": 1}}', "\x00")),
        # Nobody guesses an encoding from the zeros.
        *((SOUND.encode(codec), NO_JSON) for codec in ("utf-16-le", "utf-16-be", "utf-32-le")),
        *((add('"é": 1').encode(codec), NO_UTF_8) for codec in ("utf-16", "utf-32", "cp1252")),
        *(
            (body.replace("HALF", half), HALF_A_PAIR)
            for half in ("\\ud800", "\\uDFFF", "\\uDC00\\uD800")
            for body in (make_body('"HALF"'), *map(add, ('"HALF": 1', '"x": ["HALF"]', '"x": {"HALF": null}')))
        ),
        ("[" * 60_000, ENDLESS),
        *((add(f'"x": {value}'), ENDLESS) for value in ("[" * 30_000, "9" * 5000, '{"y":' * 10_000)),
    ],
)
@pytest.mark.parametrize("charset", ["", "; charset=utf-16", "; charset=windows-1252"])
def test_body_that_cannot_be_read_is_400(body: str | bytes, detail: str, charset: str, api: LambdaHandler) -> None:
    answer = post(api, "/predict", body, content_type=f"application/json{charset}")
    assert (answer["statusCode"], answer["body"]["type"]) == (400, "urn:diabetes-ml:problem:malformed-json")
    assert answer["body"]["detail"] == detail
    assert answer["headers"]["content-type"] == PROBLEM


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        *((body, "application/json") for body in (None, "", "null", "[]", '"text"', "1", "[{}]")),
        *((SOUND, other) for other in ("text/plain", "text/json", "application/jsonp", "json", ";")),
        (SOUND, "application/json, text/html"),
    ],
)
def test_body_that_is_no_object_or_not_sent_as_json_is_422(
    body: str | None, content_type: str, api: LambdaHandler
) -> None:
    answer = post(api, "/predict", body, content_type=content_type)
    assert answer["statusCode"] == 422
    message = "must be a JSON object, sent with Content-Type: application/json"
    assert answer["body"]["errors"] == [{"field": "body", "message": message}]
    assert answer["body"]["detail"] == f"body {message}"


@pytest.mark.parametrize(
    "content_type",
    ["application/json; charset=utf-8", "APPLICATION/JSON;charset=latin-1", "application/vnd.patient+json"],
)
def test_json_is_utf_8_in_spite_of_its_parameters(content_type: str, api: LambdaHandler) -> None:
    assert post(api, "/predict", b"\xef\xbb\xbf" + SOUND.encode(), content_type=content_type)["statusCode"] == 200


@pytest.mark.parametrize(
    ("path", "body", "fields"),
    [
        ("/predict", add('"age": 30'), ["age"]),
        ("/explain", add('"age": 59'), ["age"]),
        ("/predict", add('"\\u0061ge": 30, "bmi": 30, "\\u0061\\u0067\\u0065": 31'), ["age", "bmi"]),
        ("/predict", add('"x": 1, "x": 2'), ["x"]),
        ("/predict", add(f'"{"x" * 100}": 1, "{"x" * 100}": 2'), ["x" * 64]),
        ("/predict/batch", f'{{"patients": [{SOUND}, {SOUND[:-1]}, "age": 30}}]}}', ["patients[1].age"]),
        ("/predict/batch", f'{{"patients": [{SOUND}], "patients": [{SOUND}]}}', ["patients"]),
        # The first value is no longer there.
        ("/predict", f'{{"age": {{"x": 1, "x": 2}}, {SOUND[1:]}', ["age"]),
        ("/predict", add('"x": "\\ud800", "x": 1'), ["x"]),
        # No field of ours is there.
        ("/predict", add('"x": {"y": [{"z": 1, "z": 2}]}'), ["body"]),
        ("/predict/batch", f'{{"patients": [{SOUND}], "x": [[{{"y": 1, "y": 1}}]]}}', ["body"]),
        ("/predict", '[{"age": 1, "age": 2}]', ["body"]),
        # Of many, a hundred.
        ("/predict", add(", ".join(f'"x{n}": 1, "x{n}": 2' for n in range(1000))), [f"x{n}" for n in range(100)]),
    ],
)
def test_a_name_given_twice_is_422(path: str, body: str, fields: list[str], api: LambdaHandler) -> None:
    answer = post(api, path, body)
    errors = answer["body"]["errors"]
    assert (answer["statusCode"], answer["body"]["type"]) == (422, "urn:diabetes-ml:problem:invalid-input")
    assert [error["field"] for error in errors] == fields
    assert all("given more than once" in error["message"] for error in errors)
    assert answer["body"]["detail"] == "; ".join(f"{error['field']} {error['message']}" for error in errors)


@pytest.mark.parametrize("name", ["\\ud83d\\ude00", "\\\\ud800", "\U0001f600"])
def test_unknown_name_is_422_and_repeated_as_it_was(name: str, api: LambdaHandler) -> None:
    answer = post(api, "/predict", add(f'"{name}": 1'))
    expected = {"field": json.loads(f'"{name}"'), "message": "is not a field of this request"}
    assert (answer["statusCode"], answer["body"]["errors"]) == (422, [expected])


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "1e400", "-1e400", "9" * 400, "1" + "0" * 4000])
def test_a_number_that_no_patient_has_is_422(number: str, api: LambdaHandler) -> None:
    answer = post(api, "/predict", make_body(number))
    assert (answer["statusCode"], answer["body"]["detail"]) == (422, "age must be a number from 0 to 120 (years)")


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("encoding", ["gzip", "GZIP", "br", "identity, gzip", "x-unknown", "gzip;q=1"])
def test_an_encoded_body_is_415(path: str, encoding: str, api: LambdaHandler) -> None:
    answer = post(api, path, gzip.compress(SOUND.encode()), content_encoding=encoding)
    assert (answer["statusCode"], answer["body"]["type"]) == (415, "urn:diabetes-ml:problem:unsupported-encoding")
    assert (answer["headers"]["accept-encoding"], answer["headers"]["content-type"]) == ("identity", PROBLEM)


@pytest.mark.parametrize("encoding", ["identity", "Identity", "", " identity ,"])
def test_a_plain_body_may_say_so(encoding: str, api: LambdaHandler) -> None:
    assert post(api, "/predict", SOUND, content_encoding=encoding)["statusCode"] == 200


@pytest.mark.parametrize(
    ("path", "body", "limit"),
    [
        ("/predict", SOUND, MAX_BODY_BYTES),
        ("/explain", SOUND, MAX_BODY_BYTES),
        ("/predict/batch", f'{{"patients": [{SOUND}]}}', MAX_BATCH_BODY_BYTES),
    ],
)
def test_body_of_the_limit_is_read_and_one_byte_more_is_413(
    path: str, body: str, limit: int, api: LambdaHandler
) -> None:
    assert post(api, path, body.ljust(limit))["statusCode"] == 200
    answer = post(api, path, body.ljust(limit + 1))
    assert (answer["statusCode"], answer["body"]["detail"]) == (413, f"The body is over {limit} bytes.")


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [*(("GET", path, "POST") for path in PATHS), *(("POST", path, "GET, HEAD") for path in GET_PATHS)],
)
def test_wrong_method_is_405_and_names_the_right_ones(method: str, path: str, allowed: str, api: LambdaHandler) -> None:
    answer = send(api, method, path, "{}")
    assert (answer["statusCode"], answer["headers"]["allow"]) == (405, allowed)
    assert answer["body"]["detail"] == f"It takes {allowed}."


@pytest.mark.parametrize("path", GET_PATHS)
def test_head_is_get_without_a_body(path: str, api: LambdaHandler) -> None:
    got, head = get(api, path), send(api, "HEAD", path)
    assert got["body"]
    assert (head["statusCode"], head["body"], head["isBase64Encoded"]) == (got["statusCode"], "", False)
    # Counts and times change the length from one request to the next.
    passing = {"x-request-id", *(["content-length"] if path in {"/health", "/metrics"} else [])}
    assert head["headers"].keys() == got["headers"].keys()
    assert {**head["headers"], **dict.fromkeys(passing)} == {**got["headers"], **dict.fromkeys(passing)}
    assert int(head["headers"]["content-length"]) > 0


def test_head_finds_a_record_and_says_what_is_missing(api: LambdaHandler) -> None:
    path = f"/predictions/{post(api, '/predict', SOUND)['body']['request_id']}"
    got, head = get(api, path), send(api, "HEAD", path)
    assert (head["statusCode"], head["body"]) == (200, "")
    assert head["headers"]["content-length"] == got["headers"]["content-length"]
    for missing, status in (("/nothing", 404), ("/predict", 405), (f"{path}x", 404)):
        answer = send(api, "HEAD", missing)
        assert (answer["statusCode"], answer["body"], answer["headers"]["content-type"]) == (status, "", PROBLEM)


@pytest.mark.parametrize("path", [*GET_PATHS[1:], *PATHS, "/predictions/5f2b8f0e-7d1c-4c7c-9f51-0f6f6f0f7a11"])
@pytest.mark.parametrize("method", ["GET", "HEAD", "POST"])
def test_nothing_leads_to_another_host(path: str, method: str, api: LambdaHandler) -> None:
    for wrong in (f"{path}/", f"/{path}", f"/{path}/"):
        answer = send(api, method, wrong, SOUND, host="evil.example")
        assert (answer["statusCode"], answer["headers"]["content-type"]) == (404, PROBLEM), wrong
        assert "location" not in answer["headers"]
        assert "evil.example" not in str(answer)


json_values = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(),
    lambda children: st.lists(children, max_size=3) | st.dictionaries(st.text(), children, max_size=3),
    max_leaves=8,
)
near_requests = st.fixed_dictionaries({}, optional={name: st.floats() | json_values for name in EXAMPLE_REQUEST})


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    path=st.sampled_from(PATHS),
    body=st.text() | json_values.map(json.dumps) | near_requests.map(json.dumps),
)
def test_no_body_causes_a_server_error(path: str, body: Any, api: LambdaHandler) -> None:
    answer = post(api, path, body)
    assert answer["statusCode"] in {200, 400, 413, 422}
    if answer["statusCode"] != 200:
        assert answer["body"]["status"] == answer["statusCode"]
        assert answer["body"]["request_id"] == answer["headers"]["x-request-id"]
