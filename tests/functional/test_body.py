"""Bodies that two readers of JSON would read in two ways: each gets an error that says what is wrong with it."""

import base64
import gzip
import json
from typing import Any

import pytest

from lambda_app.http.schemas import EXAMPLE_REQUEST
from lambda_app.telemetry import LambdaHandler
from tests.events import invoke, make_event

SOUND = json.dumps(EXAMPLE_REQUEST)
PATHS = ("/predict", "/predict/batch", "/explain")


def post(api: LambdaHandler, body: str | bytes, path: str = "/predict", **headers: str) -> dict[str, Any]:
    event = make_event("POST", path, None if isinstance(body, bytes) else body, **headers)
    if isinstance(body, bytes):
        event |= {"body": base64.b64encode(body).decode(), "isBase64Encoded": True}
    return invoke(api, event)


def make_body(age: str) -> str:
    """The body with this in place of the age."""
    return json.dumps({**EXAMPLE_REQUEST, "age": "AGE"}).replace('"AGE"', age)


def add(members: str, body: str = SOUND) -> str:
    """The body with more members at its end."""
    return f"{body[:-1]}, {members}}}"


@pytest.mark.parametrize(
    ("path", "body", "fields"),
    [
        ("/predict", add('"age": 30'), ["age"]),
        ("/explain", add('"age": 59'), ["age"]),
        ("/predict", add('"\\u0061ge": 30, "bmi": 30, "\\u0061\\u0067\\u0065": 31'), ["age", "bmi"]),
        ("/predict", add('"x": 1, "x": 2'), ["x"]),
        ("/predict", add(f'"{"x" * 100}": 1, "{"x" * 100}": 2'), ["x" * 64]),
        (
            "/predict/batch",
            f'{{"patients": [{SOUND}, {add(chr(34) + "age" + chr(34) + ": 30")}]}}',
            ["patients[1].age"],
        ),
        ("/predict/batch", f'{{"patients": [{SOUND}], "patients": [{SOUND}]}}', ["patients"]),
        # Whatever was given the first time, and is no longer there.
        ("/predict", f'{{"age": {{"x": 1, "x": 2}}, {SOUND[1:]}', ["age"]),
        # Where no field of ours is.
        ("/predict", add('"x": {"y": [{"z": 1, "z": 2}]}'), ["body"]),
        ("/predict/batch", f'{{"patients": [{SOUND}], "x": [[{{"y": 1, "y": 1}}]]}}', ["body"]),
        ("/predict", '[{"age": 1, "age": 2}]', ["body"]),
    ],
)
def test_a_name_given_twice_is_422(path: str, body: str, fields: list[str], api: LambdaHandler) -> None:
    answer = post(api, body, path)
    assert (answer["statusCode"], answer["body"]["type"]) == (422, "urn:diabetes-ml:problem:invalid-input")
    assert [error["field"] for error in answer["body"]["errors"]] == fields
    assert all("given more than once" in error["message"] for error in answer["body"]["errors"])
    assert answer["body"]["detail"] == "; ".join(
        f"{error['field']} {error['message']}" for error in answer["body"]["errors"]
    )


def test_of_many_repeated_names_some_are_told(api: LambdaHandler) -> None:
    members = ", ".join(f'"x{index}": 1, "x{index}": 2' for index in range(1000))
    answer = post(api, f"{{{members}}}")
    assert [error["field"] for error in answer["body"]["errors"]] == [f"x{index}" for index in range(100)]


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("encoding", ["gzip", "GZIP", "br", "identity, gzip", "x-unknown", "gzip;q=1"])
def test_an_encoded_body_is_415(path: str, encoding: str, api: LambdaHandler) -> None:
    answer = post(api, gzip.compress(SOUND.encode()), path, content_encoding=encoding)
    assert (answer["statusCode"], answer["body"]["type"]) == (415, "urn:diabetes-ml:problem:unsupported-encoding")
    assert answer["headers"]["accept-encoding"] == "identity"
    assert answer["headers"]["content-type"] == "application/problem+json"


@pytest.mark.parametrize("encoding", ["identity", "Identity", "", " identity ,"])
def test_a_body_that_is_as_it_is_may_say_so(encoding: str, api: LambdaHandler) -> None:
    assert post(api, SOUND, content_encoding=encoding)["statusCode"] == 200


@pytest.mark.parametrize("half", ["\\ud800", "\\uDFFF", "\\uDC00\\uD800"])
@pytest.mark.parametrize(
    "members", ['"HALF": 1', '"age": "HALF"', '"x": ["HALF"]', '"x": {"HALF": null}', '"x": "HALF", "x": 1']
)
def test_half_a_surrogate_pair_is_named(half: str, members: str, api: LambdaHandler) -> None:
    body = f"{{{members.replace('HALF', half)}, {SOUND[1:]}"
    if '"age"' in members:
        body = make_body(f'"{half}"')
    answer = post(api, body)
    expected = 422 if members.endswith('"x": 1') else 400
    assert answer["statusCode"] == expected
    if expected == 400:
        assert answer["body"]["detail"].startswith("The body has half of a surrogate pair")
        assert answer["body"]["type"] == "urn:diabetes-ml:problem:malformed-json"


@pytest.mark.parametrize("name", ["\\ud83d\\ude00", "\\\\ud800", "\U0001f600"])
def test_a_whole_pair_is_a_character(name: str, api: LambdaHandler) -> None:
    answer = post(api, add(f'"{name}": 1'))
    assert (answer["statusCode"], answer["body"]["errors"][0]["message"]) == (422, "is not a field of this request")
    assert answer["body"]["errors"][0]["field"] == json.loads(f'"{name}"')


@pytest.mark.parametrize("codec", ["utf-16", "utf-32", "cp1252"])
@pytest.mark.parametrize("charset", ["", "; charset=utf-16", "; charset=windows-1252"])
def test_another_encoding_than_utf_8_is_400(codec: str, charset: str, api: LambdaHandler) -> None:
    answer = post(api, add('"é": 1').encode(codec), content_type=f"application/json{charset}")
    assert (answer["statusCode"], answer["body"]["detail"]) == (400, "The body must be JSON in UTF-8.")


@pytest.mark.parametrize("codec", ["utf-16-le", "utf-16-be", "utf-32-le"])
def test_nor_is_it_guessed(codec: str, api: LambdaHandler) -> None:
    answer = post(api, SOUND.encode(codec))
    assert (answer["statusCode"], answer["body"]["type"]) == (400, "urn:diabetes-ml:problem:malformed-json")


@pytest.mark.parametrize(
    "content_type",
    ["application/json; charset=utf-8", "APPLICATION/JSON;charset=latin-1", "application/vnd.patient+json"],
)
def test_json_is_utf_8_whatever_its_parameters_say(content_type: str, api: LambdaHandler) -> None:
    assert post(api, b"\xef\xbb\xbf" + SOUND.encode(), content_type=content_type)["statusCode"] == 200


@pytest.mark.parametrize("content_type", ["text/json", "application/jsonp", "json", "application/json, text/html", ";"])
def test_what_is_said_to_be_no_json_is_not_read(content_type: str, api: LambdaHandler) -> None:
    answer = post(api, SOUND, content_type=content_type)
    assert answer["statusCode"] == 422
    assert answer["body"]["detail"] == "body must be a JSON object, sent with Content-Type: application/json"


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "1e400", "-1e400", "9" * 400, "1" + "0" * 4000])
def test_a_number_that_no_patient_has_is_422(number: str, api: LambdaHandler) -> None:
    answer = post(api, make_body(number))
    assert (answer["statusCode"], answer["body"]["detail"]) == (422, "age must be a number from 0 to 120 (years)")


@pytest.mark.parametrize("member", [f'"x": {"[" * 30_000}', '"x": ' + "9" * 5000, '"x": ' + '{"y":' * 10_000])
def test_what_no_reader_reads_to_its_end_is_400(member: str, api: LambdaHandler) -> None:
    answer = post(api, add(member))
    assert (answer["statusCode"], answer["body"]["type"]) == (400, "urn:diabetes-ml:problem:malformed-json")
    assert answer["body"]["detail"] == "The body has a number with thousands of digits, or is nested too deep."
