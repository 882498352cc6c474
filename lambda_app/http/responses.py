"""The responses of each route in the API description: headers, problems, and examples."""

from collections.abc import Mapping, Sequence
from typing import Any

from lambda_app.errors import (
    BODY_TOO_LARGE,
    INTERNAL_ERROR,
    INVALID_INPUT,
    MALFORMED_JSON,
    UNSUPPORTED_ENCODING,
    IdempotencyConflictError,
    IdempotencyKeyError,
    LookupFailedError,
    ModelUnavailableError,
    OutcomeError,
    OutcomeRouteError,
    Problem,
    RecordError,
    RecordNotFoundError,
    UnknownCallerError,
)
from lambda_app.http.caller import MAX_KEY_LENGTH
from lambda_app.http.problems import MEDIA_TYPE
from lambda_app.http.schemas import (
    EXAMPLE_ANSWER,
    EXAMPLE_MODEL_FAILURE,
    EXAMPLE_OUTCOME_REFUSAL,
    EXAMPLE_REFUSAL,
    HealthResponse,
    ProblemResponse,
)
from lambda_app.project import PREFIX

ANSWER_HEADERS = {
    "X-Prediction-Record": {
        "description": "Where the record is: in the `database`, or in the `queue`, to be stored later",
        "schema": {"type": "string", "enum": ["database", "queue"]},
    },
    "Idempotency-Replayed": {
        "description": "`true` if this is the stored answer to an earlier request with the same key",
        "schema": {"type": "string", "enum": ["true"]},
    },
}
EXPLANATION_HEADERS = {
    "X-Prediction-Record": {
        "description": "An explanation has no record",
        "schema": {"type": "string", "enum": ["none"]},
    }
}
OUTCOME_HEADERS = {
    "X-Outcome-Record": {
        "description": "Where the outcomes are: in the `database`, or in the `queue`, to be stored later",
        "schema": {"type": "string", "enum": ["database", "queue"]},
    }
}
_RETRY_HEADERS = {"Retry-After": {"description": "Seconds to wait before a retry", "schema": {"type": "integer"}}}

Responses = dict[int | str, dict[str, Any]]
_ProblemExample = tuple[Problem, str]

_BAD_JSON = (MALFORMED_JSON, "The body could not be read as JSON.")
_BAD_KEY = (IdempotencyKeyError.problem, f"It must be one string of 1 to {MAX_KEY_LENGTH} printable ASCII characters.")
_USED_KEY = (
    IdempotencyConflictError.problem,
    "You used this key for another request, or its record was deleted: send another key, or none.",
)
_ENCODED = (UNSUPPORTED_ENCODING, "Send the body as it is, without a Content-Encoding.")
_UNKNOWN_CALLER = (UnknownCallerError.problem, str(UnknownCallerError()))
_NO_MODEL = (ModelUnavailableError.problem, EXAMPLE_MODEL_FAILURE)
_NO_RECORD = (
    RecordError.problem,
    "the database did not take the record: TimeoutError; nor did the queue: ConnectionRefusedError",
)
_NO_OUTCOME_RECORD = (OutcomeError.problem, _NO_RECORD[1])
_OTHER_ROUTE = (OutcomeRouteError.problem, str(OutcomeRouteError()))
_NOT_FOUND = (RecordNotFoundError.problem, str(RecordNotFoundError()))
_NO_LOOKUP = (LookupFailedError.problem, "the database did not answer: TimeoutError")
_FAILED = (INTERNAL_ERROR, "An unexpected error; it was logged.")


def describe_prediction_responses(limit_bytes: int, id_pointer: str, parent: str = "") -> Responses:
    """Describe them; `id_pointer` locates the id of a record in the response, `parent` prefixes a refused feature."""
    link = {"operationId": "find_prediction", "parameters": {"request_id": f"$response.body#{id_pointer}"}}
    return {
        200: {
            "headers": ANSWER_HEADERS,
            "description": "The prediction; its record is durable",
            "links": {"record": {**link, "description": "The record of this prediction"}},
        },
        400: describe_problem("The body is not JSON, or the Idempotency-Key is malformed", _BAD_JSON, _BAD_KEY),
        403: _describe_unknown_caller(),
        413: _describe_large_body(limit_bytes),
        415: _describe_encoded_body(),
        422: describe_problem(
            "Fields were refused, each listed with its limit; or the key was used before",
            _USED_KEY,
            refusal={**EXAMPLE_REFUSAL, "field": f"{parent}{EXAMPLE_REFUSAL['field']}"},
        ),
        503: _describe_absence("No model is loaded, or the record could not be made durable", _NO_MODEL, _NO_RECORD),
    }


def describe_explanation_responses(limit_bytes: int) -> Responses:
    return {
        200: {"headers": EXPLANATION_HEADERS, "description": "The prediction and its explanation"},
        400: describe_problem("The body is not JSON", _BAD_JSON),
        413: _describe_large_body(limit_bytes),
        415: _describe_encoded_body(),
        422: describe_problem("Fields were refused, each listed with its limit", refusal=EXAMPLE_REFUSAL),
        503: _describe_absence("No model is loaded", _NO_MODEL),
    }


def describe_outcome_responses(limit_bytes: int) -> Responses:
    return {
        200: {"headers": OUTCOME_HEADERS, "description": "The outcomes are durable"},
        400: describe_problem("The body is not JSON", _BAD_JSON),
        403: describe_problem(
            "The API's authorizer named no caller, or the request did not come by the route of outcomes",
            _UNKNOWN_CALLER,
            _OTHER_ROUTE,
        ),
        413: _describe_large_body(limit_bytes),
        415: _describe_encoded_body(),
        422: describe_problem("Outcomes were refused, each field with its limit", refusal=EXAMPLE_OUTCOME_REFUSAL),
        503: _describe_absence("The outcomes could not be made durable", _NO_OUTCOME_RECORD),
    }


def describe_model_responses() -> Responses:
    return {
        200: {"description": "The current model"},
        503: _describe_absence("No model is loaded", _NO_MODEL),
    }


def describe_record_responses() -> Responses:
    return {
        200: {"description": "The record"},
        403: _describe_unknown_caller(),
        404: describe_problem("You made no prediction with this id, or its record is still in the queue", _NOT_FOUND),
        503: _describe_absence("The database could not look up the record", _NO_LOOKUP),
    }


def describe_health_responses() -> Responses:
    return {
        200: {"description": "The service can predict"},
        503: {"model": HealthResponse, "description": "The service cannot predict"},
    }


def describe_metrics_responses() -> Responses:
    example = f'{PREFIX}_requests_total{{execution_environment="local",route="/predict",status="200"}} 1.0\n'
    return {200: {"description": "Prometheus text format", "content": {"text/plain": {"example": example}}}}


def describe_failure() -> Responses:
    """Describe the responses that every route may return."""
    return {500: describe_problem("The service failed unexpectedly", _FAILED)}


def describe_problem(
    description: str, *examples: _ProblemExample, refusal: Mapping[str, str] | None = None
) -> dict[str, Any]:
    """Describe a problem response; its first example is `refusal`, a refused field."""
    shown = {}
    if refusal is not None:
        detail = f"{refusal['field']} {refusal['message']}"
        shown[INVALID_INPUT.slug] = {"value": _show_problem(INVALID_INPUT, detail, [refusal])}
    shown |= {problem.slug: {"value": _show_problem(problem, detail)} for problem, detail in examples}
    return {"model": ProblemResponse, "description": description, "content": {MEDIA_TYPE: {"examples": shown}}}


def _describe_large_body(limit_bytes: int) -> dict[str, Any]:
    example = (BODY_TOO_LARGE, f"The body is over {limit_bytes} bytes.")
    return describe_problem(f"The body is over {limit_bytes // 1024} KB", example)


def _describe_encoded_body() -> dict[str, Any]:
    header = {"description": "The supported encodings of a body", "schema": {"type": "string", "enum": ["identity"]}}
    return {
        **describe_problem("The body has a Content-Encoding", _ENCODED),
        "headers": {"Accept-Encoding": header},
    }


def _describe_unknown_caller() -> dict[str, Any]:
    return describe_problem("The API's authorizer named no caller", _UNKNOWN_CALLER)


def _describe_absence(description: str, *examples: _ProblemExample) -> dict[str, Any]:
    return {**describe_problem(description, *examples), "headers": _RETRY_HEADERS}


def _show_problem(problem: Problem, detail: str, errors: Sequence[Mapping[str, str]] | None = None) -> dict[str, Any]:
    shown = {"type": problem.type, "title": problem.title, "status": int(problem.status), "detail": detail}
    return {**shown, "request_id": EXAMPLE_ANSWER["request_id"], **({"errors": errors} if errors else {})}
