"""What the documentation says beside the models: headers, problems, and which request has which."""

from typing import Annotated, Any

from fastapi import Header, Path

from lambda_app.caller import KEY_PATTERN
from lambda_app.problems import MEDIA_TYPE
from lambda_app.schemas import ProblemResponse

DESCRIPTION = """Predicts the progression of diabetes one year after ten clinical measurements were taken,
from a model trained on the 442 patients of Efron et al. (2004). Every answer is recorded before it is sent.
For study and engineering; not a medical device."""

# Declared for the documentation; `_describe_call` reads it.
IdempotencyKeyHeader = Annotated[
    str | None,
    Header(
        description="Marks a request as the same one again: it gets the stored answer instead of a new one",
        examples=['"visit-4711"'],
        json_schema_extra={"pattern": KEY_PATTERN},
    ),
]
RecordId = Annotated[str, Path(description="The request_id of a prediction", json_schema_extra={"format": "uuid"})]

ANSWER_HEADERS = {
    "X-Prediction-Record": {
        "description": "Where the record is: `database`, or `queue` on its way there",
        "schema": {"type": "string", "enum": ["database", "queue"]},
    },
    "Idempotency-Replayed": {
        "description": "`true` when the answer is that of an earlier request with the same key",
        "schema": {"type": "string", "enum": ["true"]},
    },
}

EXPLANATION_HEADERS = {
    "X-Prediction-Record": {
        "description": "An explanation has no record",
        "schema": {"type": "string", "enum": ["none"]},
    }
}


def describe_problem(description: str) -> dict[str, Any]:
    return {"model": ProblemResponse, "description": description}


def describe_prediction_responses(limit_bytes: int) -> dict[int | str, dict[str, Any]]:
    return {
        200: {"headers": ANSWER_HEADERS},
        400: describe_problem("The body is not JSON, or the Idempotency-Key is malformed"),
        413: describe_problem(f"The body is over {limit_bytes // 1024} KB"),
        422: describe_problem("A field was refused, each named with its limit; or the key was used before"),
        503: describe_problem("No model is loaded, or the record could not be made durable"),
    }


def describe_explanation_responses(limit_bytes: int) -> dict[int | str, dict[str, Any]]:
    return {
        200: {"headers": EXPLANATION_HEADERS},
        400: describe_problem("The body is not JSON"),
        413: describe_problem(f"The body is over {limit_bytes // 1024} KB"),
        422: describe_problem("A field was refused, each named with its limit"),
        503: describe_problem("No model is loaded"),
    }


def label_problems(schema: dict[str, Any]) -> None:
    """FastAPI files every model under application/json; problems have a media type of their own."""
    for path in schema["paths"].values():
        for operation in path.values():
            for response in operation["responses"].values():
                content = response.get("content", {})
                if content.get("application/json", {}).get("schema", {}).get("$ref", "").endswith("/ProblemResponse"):
                    content[MEDIA_TYPE] = content.pop("application/json")
