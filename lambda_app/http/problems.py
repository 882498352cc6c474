"""Turns failures into problem details: `application/problem+json` by RFC 9457."""

from collections.abc import Iterable, Mapping, Sequence
from http import HTTPStatus
from typing import Any
from uuid import UUID

from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from lambda_app.errors import (
    BODY_TOO_LARGE,
    INVALID_INPUT,
    MALFORMED_JSON,
    METHOD_NOT_ALLOWED,
    NOT_FOUND,
    OutcomesRefusedError,
    Problem,
    ServiceError,
)
from lambda_app.http.schemas import MAX_BATCH, OUTCOME_LIMITS, SUBJECT_LIMITS
from problem.table import TABLE

MEDIA_TYPE = "application/problem+json"

# A body can contain thousands of faults; the response lists only some.
MAX_REFUSED_FIELDS = 100
MAX_UNKNOWN_FIELDS = 10
MAX_NAME_LENGTH = 64

# FastAPI returns 400 if its JSON parser fails: nesting too deep, numbers too long.
_FRAMEWORK_PROBLEMS = {
    problem.status: problem for problem in (MALFORMED_JSON, NOT_FOUND, METHOD_NOT_ALLOWED, BODY_TOO_LARGE)
}

_NO_OBJECT = "must be a JSON object, sent with Content-Type: application/json"

# What each field must be, by the list that it is in; a request for one case has the fields of a case.
_LIMITS: Mapping[str, Mapping[str, str]] = {
    TABLE.cases: {feature.name: feature.limits for feature in TABLE.features} | {"subject": SUBJECT_LIMITS},
    "outcomes": OUTCOME_LIMITS,
}
_NO_ITEM = {
    TABLE.cases: f"must be a JSON object with the features of one {TABLE.case}",
    "outcomes": f"must be a JSON object with {', '.join(OUTCOME_LIMITS)}",
}


class ProblemJSONResponse(JSONResponse):
    """A JSON response of the problem media type."""

    media_type = MEDIA_TYPE


def make_problem_response(
    problem: Problem,
    detail: str,
    request_id: UUID,
    *,
    errors: Sequence[Mapping[str, str]] | None = None,
    headers: Mapping[str, str] | None = None,
) -> ProblemJSONResponse:
    """Make the response for a problem; `errors` lists the refused fields."""
    content: dict[str, Any] = {
        "type": problem.type,
        "title": problem.title,
        "status": problem.status,
        "detail": detail,
        "request_id": str(request_id),
    }
    if errors:
        content["errors"] = errors
    return ProblemJSONResponse(content, problem.status, dict(headers or {}))


def make_refusal(refused: Sequence[Mapping[str, str]], request_id: UUID) -> ProblemJSONResponse:
    """Make the response for refused fields."""
    detail = "; ".join(f"{item['field']} {item['message']}" for item in refused)
    return make_problem_response(INVALID_INPUT, detail, request_id, errors=refused)


def make_service_problem(error: ServiceError, request_id: UUID) -> ProblemJSONResponse:
    """Make the response for a ServiceError, with Retry-After if a retry may help."""
    if isinstance(error, OutcomesRefusedError):
        return make_refusal(_list_refused(error.refused), request_id)
    headers = {} if error.retry_after_seconds is None else {"retry-after": str(error.retry_after_seconds)}
    return make_problem_response(error.problem, str(error), request_id, headers=headers)


def make_framework_problem(error: HTTPException, request_id: UUID) -> ProblemJSONResponse:
    """Make the response for a request that the framework refused before the endpoint."""
    status = HTTPStatus(error.status_code)
    headers = dict(error.headers or {})
    detail = str(error.detail)
    if status == METHOD_NOT_ALLOWED.status:
        # Sorted: Starlette keeps them in a set, so their order varies between processes.
        # The middleware supports HEAD for every GET.
        allowed = set(headers["Allow"].split(", "))
        if "GET" in allowed:
            allowed.add("HEAD")
        headers["Allow"] = ", ".join(sorted(allowed))
        detail = f"It takes {headers['Allow']}."
    elif status == NOT_FOUND.status:
        detail = "The paths of this service are in its documentation, which is at /docs where it is shown."
    problem = _FRAMEWORK_PROBLEMS.get(status) or Problem(status, "http-error", status.phrase)
    return make_problem_response(problem, detail, request_id, headers=headers)


def list_field_errors(errors: Iterable[Mapping[str, Any]]) -> list[dict[str, str]]:
    """Turn pydantic's errors into field and message: each invalid feature with its limit, then unknown fields.

    In a list the field contains its place, for example "cases[3].weight". Values are omitted, because they may be
    confidential and the caller knows them.
    """
    refused: dict[str, str] = {}
    unknown: list[str] = []
    for error in errors:
        inside, parents, name = _split_location(error["loc"])
        limits = _LIMITS[inside]
        if error["type"] == "extra_forbidden":
            unknown.append(f"{parents}{name[:MAX_NAME_LENGTH]}")
        elif not parents and name in _LIMITS:
            refused[name] = f"must be a list of 1 to {MAX_BATCH} {name}"
        elif name not in limits:
            refused[parents.rstrip(".") or "body"] = _NO_ITEM[inside] if parents else _NO_OBJECT
        elif error["type"] == "missing":
            refused[parents + name] = f"is missing: {limits[name]} is required"
        else:
            refused[parents + name] = f"must be {limits[name]}"
    listed = _list_refused(refused)
    listed += [{"field": name, "message": "is not a field of this request"} for name in unknown[:MAX_UNKNOWN_FIELDS]]
    if len(unknown) > MAX_UNKNOWN_FIELDS:
        listed.append({"field": "body", "message": f"has {len(unknown) - MAX_UNKNOWN_FIELDS} more unknown fields"})
    return listed


def _list_refused(refused: Mapping[str, str]) -> list[dict[str, str]]:
    """List the refused fields, each with its message, or the first ones and the number of the others."""
    listed = [{"field": name, "message": message} for name, message in refused.items()][:MAX_REFUSED_FIELDS]
    if len(refused) > MAX_REFUSED_FIELDS:
        listed.append({"field": "body", "message": f"has {len(refused) - MAX_REFUSED_FIELDS} more refused fields"})
    return listed


def _split_location(location: Sequence[str | int]) -> tuple[str, str, str]:
    """Split ("body", "cases", 3, "weight") into "cases", "cases[3]." and "weight"; for a whole case the last is empty.

    Outside a list the first is that of the cases, whose fields a request for one case has.
    """
    match location:
        case ("body", str(inside), int(index), *rest) if inside in _LIMITS:
            return inside, f"{inside}[{index}].", str(rest[0]) if rest else ""
        case ("body", str(name), *_):
            return TABLE.cases, "", name
    return TABLE.cases, "", ""
