"""/outcomes: what really happened after predictions."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Annotated, Any
from uuid import UUID

from fastapi import FastAPI, Request, Response
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema

from lambda_app.errors import OutcomeRouteError
from lambda_app.http.caller import find_caller
from lambda_app.http.middleware import MAX_BATCH_BODY_BYTES, OUTCOMES_PATH, parse_request_id
from lambda_app.http.openapi import OUTCOME
from lambda_app.http.responses import describe_outcome_responses
from lambda_app.http.schemas import (
    EXAMPLE_ANSWER,
    EXAMPLE_OUTCOME,
    EXAMPLE_REPORTED_AT,
    MAX_BATCH,
    OUTCOME_LIMITS,
    TARGET,
)
from lambda_app.service import Outcome, PredictionService, RequestContext

# RFC 3339. Python reads more forms.
_TIME = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d{1,9})?(Z|[+-]\d\d:\d\d)", re.ASCII)


def _read_id(value: Any) -> UUID:
    found = parse_request_id(value)
    if found is None:
        raise ValueError(OUTCOME_LIMITS["request_id"])
    return found


def _read_time(value: Any) -> datetime:
    text = value.upper() if isinstance(value, str) else ""
    if _TIME.fullmatch(text):
        # In the first and the last year, the time in UTC may be none.
        try:
            return datetime.fromisoformat(text).astimezone(UTC)
        except OverflowError:
            pass
    raise ValueError(OUTCOME_LIMITS["observed_at"])


class ReportedOutcome(BaseModel):
    """What really happened after one prediction."""

    model_config = ConfigDict(extra="forbid")

    request_id: Annotated[
        UUID,
        BeforeValidator(_read_id),
        WithJsonSchema({"type": "string", "format": "uuid"}),
        Field(description="The request_id of the prediction, yours or another caller's"),
    ]
    value: Annotated[
        float,
        Field(
            strict=True,
            allow_inf_nan=False,
            ge=TARGET.minimum,
            le=TARGET.maximum,
            description=f"{TARGET.label}: the true value",
        ),
    ]
    observed_at: Annotated[
        datetime,
        BeforeValidator(_read_time),
        WithJsonSchema({"type": "string", "format": "date-time"}),
        Field(description="When it was observed: not before the prediction and not in the future"),
    ]


class OutcomeReport(BaseModel):
    """What really happened after predictions."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"outcomes": [EXAMPLE_OUTCOME]}]})

    outcomes: list[ReportedOutcome] = Field(
        min_length=1, max_length=MAX_BATCH, description=f"1 to {MAX_BATCH} outcomes, each of another prediction"
    )


class OutcomeReceipt(BaseModel):
    """All outcomes of the request are durable."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {"outcomes": 1, "reported_at": EXAMPLE_REPORTED_AT, "request_id": EXAMPLE_ANSWER["request_id"]}
            ]
        }
    )

    outcomes: int = Field(description="The number of outcomes in the request")
    reported_at: datetime = Field(description="When they were reported, UTC")
    request_id: UUID = Field(description="The id of this request")


def add_outcome_routes(app: FastAPI, service: PredictionService) -> None:
    """Give the application /outcomes."""

    @app.post(
        OUTCOMES_PATH,
        summary=f"Report what really happened after up to {MAX_BATCH} predictions",
        tags=[OUTCOME],
        response_model=OutcomeReceipt,
        responses=describe_outcome_responses(MAX_BATCH_BODY_BYTES),
    )
    async def report_outcomes(request: Request, response: Response, body: OutcomeReport) -> dict[str, Any]:
        """Returns after all outcomes are durable, or none.

        The same outcome again changes nothing. Another value or time for the same prediction is a correction: both are
        kept, and the one reported last counts. This route has a right of its own: where the API takes tokens, the scope
        `outcomes:write`.
        """
        event = request.scope.get("aws.event", {})
        _require_own_route(event)
        context = RequestContext(request.state.request_id, request.state.arrived_at, find_caller(event), None)
        # Adding zero turns -0.0 into 0.0, which is equal to it.
        outcomes = [Outcome(each.request_id, each.value + 0.0, each.observed_at) for each in body.outcomes]
        report = service.report_outcomes(outcomes, context)
        response.headers["x-outcome-record"] = report.destination
        return {"outcomes": len(outcomes), "reported_at": report.reported_at, "request_id": context.request_id}


def _require_own_route(event: Mapping[str, Any]) -> None:
    """Raise OutcomeRouteError if a gateway that asks for a right has not asked for the right to report outcomes.

    An escape in the path, such as /outcome%73, may lead a request past the route, but not past the application.
    """
    context = event.get("requestContext", {})
    if context.get("authorizer") not in (None, {}) and context.get("routeKey") != f"POST {OUTCOMES_PATH}":
        raise OutcomeRouteError
