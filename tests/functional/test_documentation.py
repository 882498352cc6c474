"""The API's description: everything has a text and an example, and the examples are real answers."""

import json
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest
from pydantic import BaseModel

from lambda_app.http.explanations import EXAMPLE_EXPLANATION, ExplanationResponse
from lambda_app.http.middleware import BATCH_PATH, MAX_BATCH_BODY_BYTES, MAX_BODY_BYTES, OUTCOMES_PATH
from lambda_app.http.model import ModelResponse
from lambda_app.http.outcomes import OutcomeReceipt
from lambda_app.http.performance import REPORT_KEY, PerformanceResponse
from lambda_app.http.schemas import (
    EXAMPLE_OUTCOME,
    EXAMPLE_REQUEST,
    BatchResponse,
    HealthResponse,
    LiveResponse,
    PredictionResponse,
    StoredPredictionResponse,
)
from lambda_app.telemetry import LambdaHandler
from problem.table import TABLE
from tests.functional.helpers import DEAD_DATABASE, DEAD_QUEUE, Wire, get, post

if TYPE_CHECKING:
    from types_boto3_s3 import S3Client

LOOKUP = "GET /predictions/{request_id}"
MODELS: dict[str, dict[str, type[BaseModel]]] = {
    "POST /predict": {"200": PredictionResponse},
    "POST /predict/batch": {"200": BatchResponse},
    LOOKUP: {"200": StoredPredictionResponse},
    "POST /outcomes": {"200": OutcomeReceipt},
    "POST /explain": {"200": ExplanationResponse},
    "GET /model": {"200": ModelResponse},
    "GET /performance": {"200": PerformanceResponse},
    "GET /health": {"200": HealthResponse, "503": HealthResponse},
    "GET /health/live": {"200": LiveResponse},
}
PROBLEM = "application/problem+json"
NAMELESS: dict[str, Any] = {"jwt": {"claims": {}, "scopes": None}}


@pytest.fixture
def document(api: LambdaHandler) -> dict[str, Any]:
    return dict(get(api, "/openapi.json")["body"])


def list_operations(document: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for path, item in document["paths"].items():
        for method, operation in item.items():
            yield f"{method.upper()} {path}", operation


def list_examples(content: dict[str, Any], schemas: dict[str, Any]) -> list[Any]:
    """The examples of a media type, or of its model."""
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
    reads = {name for name in [*MODELS, "GET /metrics"] if name.startswith("GET ")}
    assert set(operations) == {*MODELS, *reads, *(name.replace("GET", "HEAD") for name in reads)}
    # 401 and 429 are the gateway's.
    statuses = {"200", "400", "401", "403", "413", "415", "422", "429", "500", "503"}
    assert set(operations["POST /predict"]["responses"]) == statuses
    assert len({operation["operationId"] for operation in operations.values()}) == len(operations)
    for name, operation in operations.items():
        assert operation["summary"], name
        assert operation["description"], name
        assert set(operation["tags"]) <= described, name
        for status, response in operation["responses"].items():
            assert response["description"] != "Successful Response", f"{name} {status}"
            assert ("content" in response) != (name.startswith("HEAD ") or status == "304"), name
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


def test_features_have_their_bounds_units_and_examples(document: dict[str, Any]) -> None:
    schema = document["components"]["schemas"]["PredictionRequest"]
    assert schema["examples"] == [{**EXAMPLE_REQUEST, "subject": "case-4711"}]
    assert list(schema["properties"]) == [*TABLE.names, "subject"]
    assert schema["properties"]["sex"]["enum"] == [1, 2]
    for feature in TABLE.features:
        told = schema["properties"][feature.name]
        assert feature.meaning in told["description"]
        assert told["examples"] == [feature.example]
        if feature.name != "sex":
            assert feature.unit in told["description"]
            assert (told["minimum"], told["maximum"]) == (feature.minimum, feature.maximum)


@pytest.mark.parametrize(
    ("authorizer", "scheme"),
    [
        ({"iam": {"userArn": "arn:aws:iam::123456789012:user/ada"}}, "iam"),
        ({"jwt": {"claims": {"sub": "ada"}}}, "jwt"),
        ({}, None),
        (None, None),
    ],
)
def test_security_is_that_of_the_gateway(
    api: LambdaHandler, authorizer: dict[str, Any] | None, scheme: str | None
) -> None:
    document = get(api, "/openapi.json", authorizer=authorizer)["body"]
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
            # No field is missing and none is one too many.
            assert set(model.model_validate(example).model_dump(exclude_unset=True)) == set(example), name
    example = ExplanationResponse.model_validate(EXAMPLE_EXPLANATION)
    contributions = example.model_dump()["contributions"].values()
    assert example.base_value + sum(contributions) == pytest.approx(example.prediction)


def provoke_problems(wire: Wire, client: "S3Client", bucket: str) -> dict[tuple[str, str], dict[str, Any]]:
    """For operation and kind of problem: the answer to a request that must get it."""
    api, without_model, alone = wire(), wire(MODEL_BUCKET=bucket), wire(**DEAD_DATABASE, **DEAD_QUEUE)
    refused = {**EXAMPLE_REQUEST, "sex": 3}
    lookup = f"/predictions/{uuid4()}"
    answers = {
        (LOOKUP, "unknown-caller"): get(api, lookup, authorizer=NAMELESS),
        (LOOKUP, "record-not-found"): get(api, lookup),
        (LOOKUP, "lookup-unavailable"): get(alone, lookup),
        ("GET /model", "model-unavailable"): get(without_model, "/model"),
        ("GET /performance", "report-not-found"): get(without_model, "/performance"),
        ("GET /performance", "report-unavailable"): get(wire(MODEL_BUCKET="absent"), "/performance"),
    }
    client.put_object(Bucket=bucket, Key=REPORT_KEY, Body=b"{}")
    answers["GET /performance", "report-unreadable"] = get(without_model, "/performance")
    for path, limit, sound, wrong in (
        ("/predict", MAX_BODY_BYTES, EXAMPLE_REQUEST, refused),
        ("/explain", MAX_BODY_BYTES, EXAMPLE_REQUEST, refused),
        (BATCH_PATH, MAX_BATCH_BODY_BYTES, {"patients": [EXAMPLE_REQUEST]}, {"patients": [EXAMPLE_REQUEST, refused]}),
    ):
        found = {
            "malformed-json": post(api, path, "{"),
            "body-too-large": post(api, path, json.dumps(sound).ljust(limit + 1)),
            "invalid-input": post(api, path, wrong),
            "unsupported-encoding": post(api, path, sound, content_encoding="gzip"),
            "model-unavailable": post(without_model, path, sound),
        }
        if path != "/explain":
            key = str(uuid4())
            post(api, "/predict", {**EXAMPLE_REQUEST, "age": 60}, idempotency_key=key)
            found |= {
                "unknown-caller": post(api, path, sound, authorizer=NAMELESS),
                "malformed-idempotency-key": post(api, path, sound, idempotency_key="é"),
                "idempotency-key-reused": post(api, path, sound, idempotency_key=key),
                "record-unavailable": post(alone, path, sound),
            }
        answers |= {(f"POST {path}", kind): answer for kind, answer in found.items()}
    outcome = {**EXAMPLE_OUTCOME, "request_id": str(uuid4())}
    report = {"outcomes": [outcome]}
    found = {
        "malformed-json": post(api, OUTCOMES_PATH, "{"),
        "body-too-large": post(api, OUTCOMES_PATH, json.dumps(report).ljust(MAX_BATCH_BODY_BYTES + 1)),
        "invalid-input": post(api, OUTCOMES_PATH, {"outcomes": [outcome, {**EXAMPLE_OUTCOME, "value": "151"}]}),
        "unsupported-encoding": post(api, OUTCOMES_PATH, report, content_encoding="gzip"),
        "unknown-caller": post(api, OUTCOMES_PATH, report, authorizer=NAMELESS),
        "other-route": post(api, "/outcome%73", report),
        "outcome-unavailable": post(alone, OUTCOMES_PATH, report),
    }
    return answers | {(f"POST {OUTCOMES_PATH}", kind): answer for kind, answer in found.items()}


def test_examples_of_problems_are_those_of_the_service(
    document: dict[str, Any], wire: Wire, client: "S3Client", bucket: str
) -> None:
    answers = provoke_problems(wire, client, bucket)
    shown = {
        (name, kind): example["value"]
        for name, operation in list_operations(document)
        for response in operation["responses"].values()
        for kind, example in response.get("content", {}).get(PROBLEM, {}).get("examples", {}).items()
    }
    # An unexpected error cannot be provoked; tests/functional/test_observability.py breaks the service for it.
    assert {key for key in shown if key[1] != "internal-error"} == set(answers)
    for key, answer in answers.items():
        body, example = answer["body"], shown[key]
        if key[1] in {"record-unavailable", "lookup-unavailable", "outcome-unavailable", "report-unavailable"}:
            # The cause may be another one.
            assert body["detail"].split(":")[0] == example["detail"].split(":")[0]
            body["detail"] = example["detail"]
        assert {**body, "request_id": example["request_id"]} == example, key
        assert answer["headers"]["content-type"] == PROBLEM
