"""Events that API Gateway's HTTP API does not send: each gets an answer, and none an exception or a record."""

import json
from collections.abc import Iterator, Sequence
from typing import Any
from uuid import UUID

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lambda_app.http.schemas import EXAMPLE_REQUEST
from lambda_app.telemetry import LambdaHandler
from local.events import read_body
from tests.events import FOREIGN, Context, load_event, make_event
from tests.functional.helpers import Query, Wire, count_rows, post

SAMPLES = ("predict", "predict_base64", "predict_batch", "health", "page", "docs_style", "prediction_of_another")

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(), max_size=8) | st.just("\ud800"),
    lambda children: st.lists(children, max_size=3) | st.dictionaries(st.text(max_size=8), children, max_size=3),
    max_leaves=5,
)
odd_texts = st.sampled_from(
    [
        *("", " ", "*", "/", "//", "/%ff", "%zz", "/predict/", "\x00", "\ud800"),
        *("a:b:c", "[2001:db8::1]:443", "x:", "é", "=="),
    ]
)


def list_places(value: Any, path: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    """The path of each value in a JSON document."""
    yield path
    members = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for name, member in members:
        yield from list_places(member, (*path, name))


def find_parent(event: Any, place: Sequence[str | int]) -> Any:
    for name in place[:-1]:
        event = event[name]
    return event


@st.composite
def mutated_events(draw: st.DrawFn) -> Any:
    """A sample event in which a few things are missing, or are something else."""
    event: Any = load_event(draw(st.sampled_from(SAMPLES)))
    for _ in range(draw(st.integers(1, 4))):
        place = draw(st.sampled_from(list(list_places(event))))
        value = draw(json_values | odd_texts)
        if not place:
            return value if draw(st.integers(0, 9)) == 0 else event
        parent = find_parent(event, place)
        if draw(st.booleans()):
            parent[place[-1]] = value
        else:
            del parent[place[-1]]
    return event


def check(answer: dict[str, Any]) -> dict[str, Any]:
    """The answer, which must be one that API Gateway takes."""
    assert 200 <= answer["statusCode"] < 500, answer
    assert isinstance(answer["body"], str)
    assert all(isinstance(value, str) for value in answer["headers"].values())
    json.dumps(answer, ensure_ascii=False).encode()
    return read_body(answer)


def read_metrics(output: str) -> dict[str, Any]:
    """The EMF line of the one request."""
    [line] = [line for line in map(json.loads, output.splitlines()) if "Latency" in line]
    return dict(line)


@settings(max_examples=600, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(event=mutated_events())
def test_every_event_gets_an_answer(event: Any, api: LambdaHandler, capsys: pytest.CaptureFixture[str]) -> None:
    capsys.readouterr()
    answer = api(event, Context())
    output = capsys.readouterr()
    check(answer)
    assert output.err == ""
    assert read_metrics(output.out)["ServerErrors"] == [0.0]


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(event=json_values)
def test_json_that_is_no_event_is_400(event: Any, api: LambdaHandler) -> None:
    answer = check(api(event, Context()))
    assert (answer["statusCode"], answer["body"]["type"]) == (400, "urn:diabetes-ml:problem:unreadable-event")


@pytest.mark.parametrize("name", [*sorted(FOREIGN), "replay", "stranger"])
def test_another_kind_of_event_is_refused_with_one_line(
    name: str, wire: Wire, capsys: pytest.CaptureFixture[str], query: Query
) -> None:
    event: Any = {"version": "0", "detail-type": "Scheduled Event"} if name == "stranger" else load_event(name)
    if name == "replay":
        event["Records"][0]["body"] = json.dumps({**EXAMPLE_REQUEST, "bmi": 31.870319})
    api = wire()
    before = count_rows(query)
    capsys.readouterr()
    context = Context()
    answer = check(api(event, context))
    output = capsys.readouterr().out
    assert answer["statusCode"] == 400
    assert answer["headers"]["x-request-id"] == context.aws_request_id
    [line] = [line for line in map(json.loads, output.splitlines()) if line.get("message") == "request refused"]
    assert line["reason"] == answer["body"]["detail"]
    assert "the function answers API Gateway's HTTP API in payload format 2.0 and nothing else" in line["reason"]
    assert read_metrics(output)["status"] == 400
    assert "870319" not in output
    assert count_rows(query) == before


@pytest.mark.parametrize(
    ("place", "value", "named"),
    [
        (["requestContext"], None, "requestContext"),
        (["requestContext", "http"], "POST", "http"),
        (["requestContext", "http", "method"], None, "method"),
        (["requestContext", "http", "path"], 5, "path"),
        (["requestContext", "http", "path"], "/\ud800", "path"),
        (["requestContext", "domainName"], 5, "domainName"),
        (["headers"], [], "headers"),
        (["headers", "host"], None, "headers"),
        (["headers", "\ud800"], "a", "headers"),
        (["rawQueryString"], 1, "rawQueryString"),
        (["isBase64Encoded"], "false", "isBase64Encoded"),
        (["isBase64Encoded"], True, "base64"),
        (["body"], {"age": 1}, "body"),
        (["body"], "\ud800", "body"),
    ],
)
def test_fault_of_an_event_is_named(place: list[str], value: Any, named: str, api: LambdaHandler) -> None:
    event: Any = make_event("POST", "/predict", json.dumps(EXAMPLE_REQUEST))
    find_parent(event, place)[place[-1]] = value
    answer = check(api(event, Context()))
    assert (answer["statusCode"], answer["body"]["title"]) == (400, "The function does not take this event")
    assert named in answer["body"]["detail"]


@pytest.mark.parametrize("host", ["[2001:db8::1]:443", "[::1]", "example.com:", "example.com:x", "a:b:c", "", "é"])
def test_host_is_not_read(host: str, api: LambdaHandler) -> None:
    answer = post(api, "/predict", EXAMPLE_REQUEST, host=host, x_forwarded_port="many")
    assert answer["statusCode"] == 200


@pytest.mark.parametrize("name", ["headers", "rawQueryString", "cookies", "isBase64Encoded", "rawPath", "routeKey"])
def test_part_that_no_request_needs_may_be_null_or_missing(name: str, api: LambdaHandler) -> None:
    event = load_event("health")
    assert check(api({**event, name: None}, Context()))["statusCode"] == 200
    event.pop(name, None)
    assert check(api(event, Context()))["statusCode"] == 200


@pytest.mark.parametrize("given_id", ["", "1234567890", None, 5, "{5f2b8f0e-7d1c-4c7c-9f51-0f6f6f0f7a11}", "é"])
def test_request_id_of_lambda_that_is_no_uuid_is_replaced(given_id: Any, api: LambdaHandler) -> None:
    ids = set()
    for _ in range(2):
        answer = check(api(load_event("predict"), Context(aws_request_id=given_id)))
        assert answer["statusCode"] == 200
        assert answer["body"]["request_id"] == answer["headers"]["x-request-id"]
        ids.add(UUID(answer["body"]["request_id"]))
    assert len(ids) == 2
