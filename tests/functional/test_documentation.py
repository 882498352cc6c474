"""The API's description: nothing is left without a word or an example, and the examples are what the service says."""

import json
from collections.abc import Callable, Iterator
from typing import Any
from uuid import uuid4

import pytest
from pydantic import BaseModel

from lambda_app.http.explanations import EXAMPLE_EXPLANATION, ExplanationResponse
from lambda_app.http.middleware import BATCH_PATH, MAX_BATCH_BODY_BYTES, MAX_BODY_BYTES
from lambda_app.http.model import ModelResponse
from lambda_app.http.schemas import (
    EXAMPLE_REQUEST,
    BatchResponse,
    HealthResponse,
    LiveResponse,
    PredictionResponse,
    StoredPredictionResponse,
)
from lambda_app.telemetry import LambdaHandler
from local.ports import find_free_ports
from tests.events import invoke, make_event

MODELS: dict[str, dict[str, type[BaseModel]]] = {
    "POST /predict": {"200": PredictionResponse},
    "POST /predict/batch": {"200": BatchResponse},
    "GET /predictions/{request_id}": {"200": StoredPredictionResponse},
    "POST /explain": {"200": ExplanationResponse},
    "GET /model": {"200": ModelResponse},
    "GET /health": {"200": HealthResponse, "503": HealthResponse},
    "GET /health/live": {"200": LiveResponse},
}
PROBLEM = "application/problem+json"


@pytest.fixture
def document(api: LambdaHandler) -> dict[str, Any]:
    body: dict[str, Any] = invoke(api, make_event("GET", "/openapi.json"))["body"]
    return body


def list_operations(document: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for path, item in document["paths"].items():
        for method, operation in item.items():
            yield f"{method.upper()} {path}", operation


def list_examples(content: dict[str, Any], schemas: dict[str, Any]) -> list[Any]:
    """Those of a media type, or of the model that it has."""
    if "example" in content:
        return [content["example"]]
    if "examples" in content:
        return [entry["value"] for entry in content["examples"].values()]
    schema = schemas[content["schema"]["$ref"].rpartition("/")[2]]
    if "examples" in schema:
        return list(schema["examples"])
    return [{name: told["examples"][0] for name, told in schema["properties"].items()}]


def test_everything_is_described_and_has_examples(document: dict[str, Any]) -> None:
    described = {tag["name"] for tag in document["tags"] if tag["description"]}
    operations = dict(list_operations(document))
    assert set(operations) == {
        *("POST /predict", "POST /predict/batch", "GET /predictions/{request_id}", "POST /explain", "GET /model"),
        *("GET /health", "GET /health/live", "GET /metrics"),
        *("HEAD /predictions/{request_id}", "HEAD /model", "HEAD /health", "HEAD /health/live", "HEAD /metrics"),
    }
    assert len({operation["operationId"] for operation in operations.values()}) == len(operations)
    for name, operation in operations.items():
        assert operation["summary"], name
        assert operation["description"], name
        assert set(operation["tags"]) <= described, name
        for status, response in operation["responses"].items():
            assert response["description"] != "Successful Response", f"{name} {status}"
            assert ("content" in response) != name.startswith("HEAD "), name
            for media_type, content in response.get("content", {}).items():
                examples = list_examples(content, document["components"]["schemas"])
                assert examples, f"{name} {status} {media_type}"
                if media_type == PROBLEM:
                    assert {example["status"] for example in examples} == {int(status)}
        if "requestBody" in operation:
            [content] = operation["requestBody"]["content"].values()
            assert list_examples(content, document["components"]["schemas"]), name
        for parameter in operation.get("parameters", []):
            assert parameter["description"], name


@pytest.mark.parametrize(
    ("authorizer", "scheme"),
    [
        ({"iam": {"userArn": "arn:aws:iam::123456789012:user/ada"}}, "iam"),
        ({"jwt": {"claims": {"sub": "ada"}}}, "jwt"),
        ({}, None),
        (None, None),
    ],
)
def test_security_is_what_the_gateway_asks_for(
    api: LambdaHandler, authorizer: dict[str, Any] | None, scheme: str | None
) -> None:
    event = make_event("GET", "/openapi.json")
    event["requestContext"]["authorizer"] = authorizer
    document = invoke(api, event)["body"]
    assert document.get("security") == ([{scheme: []}] if scheme else None)
    assert set(document["components"].get("securitySchemes", {})) == ({scheme} if scheme else set())
    assert [name for name, operation in list_operations(document) if "security" in operation] == []


@pytest.mark.parametrize("path", ["/predict", BATCH_PATH])
def test_idempotency_key_is_described_and_not_filled_in(document: dict[str, Any], path: str) -> None:
    [parameter] = document["paths"][path]["post"]["parameters"]
    assert parameter["name"] == "Idempotency-Key"
    assert "visit-4711" in parameter["description"]
    assert not {"example", "examples", "default"} & {*parameter, *parameter["schema"]}


def test_examples_of_answers_are_answers(document: dict[str, Any]) -> None:
    operations = dict(list_operations(document))
    for name, models in MODELS.items():
        for status, model in models.items():
            content = operations[name]["responses"][status]["content"]["application/json"]
            [example] = list_examples(content, document["components"]["schemas"])
            # As it would go out: of its fields none is missing and none is one too many.
            assert set(model.model_validate(example).model_dump(exclude_unset=True)) == set(example), name
    example = ExplanationResponse.model_validate(EXAMPLE_EXPLANATION)
    contributions = example.model_dump()["contributions"].values()
    assert example.base_value + sum(contributions) == pytest.approx(example.prediction)


def post(api: LambdaHandler, path: str, body: str, **headers: str) -> dict[str, Any]:
    return invoke(api, make_event("POST", path, body, **headers))


def ask_nameless(api: LambdaHandler, method: str, path: str, body: str | None = None) -> dict[str, Any]:
    event = make_event(method, path, body)
    event["requestContext"]["authorizer"] = {"jwt": {"claims": {}, "scopes": None}}
    return invoke(api, event)


def provoke_problems(wire: Callable[..., LambdaHandler], bucket: str) -> dict[tuple[str, str], dict[str, Any]]:
    """For operation and kind of problem: the answer to a request that must get it."""
    api, without_model = wire(), wire(MODEL_BUCKET=bucket)
    limits = {"/predict": MAX_BODY_BYTES, "/explain": MAX_BODY_BYTES, BATCH_PATH: MAX_BATCH_BODY_BYTES}
    sound = {**dict.fromkeys(limits, EXAMPLE_REQUEST), BATCH_PATH: {"patients": [EXAMPLE_REQUEST, EXAMPLE_REQUEST]}}
    refused = {**EXAMPLE_REQUEST, "sex": 3}
    answers = {}
    for path, limit in limits.items():
        body, operation = json.dumps(sound[path]), f"POST {path}"
        wrong = {"patients": [EXAMPLE_REQUEST, refused]} if path == BATCH_PATH else refused
        answers[operation, "malformed-json"] = post(api, path, "{")
        answers[operation, "body-too-large"] = post(api, path, body.ljust(limit + 1))
        answers[operation, "invalid-input"] = post(api, path, json.dumps(wrong))
        answers[operation, "unsupported-encoding"] = post(api, path, body, content_encoding="gzip")
        answers[operation, "model-unavailable"] = post(without_model, path, body)
        if path != "/explain":
            answers[operation, "unknown-caller"] = ask_nameless(api, "POST", path, body)
            key = str(uuid4())
            answers[operation, "malformed-idempotency-key"] = post(api, path, body, idempotency_key="é")
            post(api, "/predict", json.dumps({**EXAMPLE_REQUEST, "age": 60}), idempotency_key=key)
            answers[operation, "idempotency-key-reused"] = post(api, path, body, idempotency_key=key)
    lookup = f"/predictions/{uuid4()}"
    answers["GET /predictions/{request_id}", "unknown-caller"] = ask_nameless(api, "GET", lookup)
    answers["GET /predictions/{request_id}", "record-not-found"] = invoke(api, make_event("GET", lookup))
    answers["GET /model", "model-unavailable"] = invoke(without_model, make_event("GET", "/model"))
    database, queue = map(str, find_free_ports(2))
    alone = wire(DATABASE_PORT=database, QUEUE_URL=f"http://127.0.0.1:{queue}/1/records")
    answers["GET /predictions/{request_id}", "lookup-unavailable"] = invoke(alone, make_event("GET", lookup))
    for path in ("/predict", BATCH_PATH):
        answers[f"POST {path}", "record-unavailable"] = post(alone, path, json.dumps(sound[path]))
    return answers


def test_examples_of_problems_are_what_the_service_says(
    document: dict[str, Any], wire: Callable[..., LambdaHandler], bucket: str
) -> None:
    answers = provoke_problems(wire, bucket)
    shown = {
        (name, kind): example["value"]
        for name, operation in list_operations(document)
        for response in operation["responses"].values()
        for kind, example in response.get("content", {}).get(PROBLEM, {}).get("examples", {}).items()
    }
    # What nobody expected cannot be provoked; tests/functional/test_observability.py breaks the service for it.
    assert {key for key in shown if key[1] != "internal-error"} == set(answers)
    for key, answer in answers.items():
        body, example = answer["body"], shown[key]
        if key[1] in {"record-unavailable", "lookup-unavailable"}:
            # What went wrong may be one thing or another.
            assert body["detail"].split(":")[0] == example["detail"].split(":")[0]
            body["detail"] = example["detail"]
        assert {**body, "request_id": example["request_id"]} == example, key
        assert answer["headers"]["content-type"] == PROBLEM
