"""The HTTP interface: routes, problem details, documentation."""

from http import HTTPStatus
from typing import Any, cast

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, PlainTextResponse
from starlette.exceptions import HTTPException

from lambda_app import VERSION
from lambda_app.errors import INVALID_INPUT, MALFORMED_JSON
from lambda_app.middleware import RequestMiddleware
from lambda_app.problems import MEDIA_TYPE, list_field_errors, make_framework_problem, make_problem_response
from lambda_app.schemas import (
    DatabaseHealth,
    FieldMessage,
    HealthResponse,
    IntervalResponse,
    LiveResponse,
    PredictionRequest,
    PredictionResponse,
    ProblemResponse,
)
from lambda_app.service import PredictionService
from lambda_app.telemetry import Telemetry

DESCRIPTION = """Predicts the progression of diabetes one year after ten clinical measurements were taken,
from a model trained on the 442 patients of Efron et al. (2004). Every answer is recorded before it is sent.
For study and engineering; not a medical device."""


def create_app(service: PredictionService, telemetry: Telemetry) -> FastAPI:
    """The ASGI application.

    The endpoints are coroutines that block on purpose. An execution environment handles one request at a time, so a
    thread pool would only add a thread to each request, and locks to the model and the connection.
    """
    app = FastAPI(
        title="Diabetes progression",
        version=VERSION,
        description=DESCRIPTION,
        redoc_url=None,
        # FastAPI's own tracing hands request bodies and refused values to whatever OpenTelemetry exports.
        telemetry={"tracing": False, "metrics": False, "logs": False, "operation_spans": False},
        responses={"default": _describe_problem("Any other failure")},
        generate_unique_id_function=lambda route: route.name,
    )
    app.add_middleware(RequestMiddleware, telemetry=telemetry)
    app.add_exception_handler(RequestValidationError, _answer_invalid_request)
    app.add_exception_handler(HTTPException, _answer_http_exception)

    @app.post(
        "/predict",
        summary="Predict for one patient",
        tags=["prediction"],
        response_model=PredictionResponse,
        responses={
            400: _describe_problem("The body is not JSON"),
            413: _describe_problem("The body is over 64 KB"),
            422: _describe_problem("A field was refused; each is named with its limit"),
            503: _describe_problem("No model is loaded, or the record could not be made durable"),
        },
    )
    async def predict(request: Request, body: PredictionRequest) -> PredictionResponse:
        """Answers with the predicted disease progression and its interval, once their record is durable."""
        answer = service.predict(body.model_dump(), request.state.request_id, request.state.arrived_at)
        return PredictionResponse(
            prediction=answer.record.prediction,
            interval=IntervalResponse(
                lower=answer.record.interval_lower,
                upper=answer.record.interval_upper,
                coverage=answer.record.interval_coverage,
            ),
            model_version=answer.record.model_version,
            timestamp=answer.record.created_at,
            request_id=answer.record.request_id,
            warnings=[FieldMessage(field=w.field, message=w.message) for w in answer.prediction.warnings],
        )

    @app.get(
        "/health",
        summary="Whether the service can do its work",
        tags=["operations"],
        response_model=HealthResponse,
        responses={503: {"model": HealthResponse, "description": "The model or the database is missing"}},
    )
    async def health(response: Response) -> HealthResponse:
        """Loads the model if there is none yet and asks the database for a sign of life."""
        found = service.check_health()
        if not found.ok:
            response.status_code = HTTPStatus.SERVICE_UNAVAILABLE
        loaded = found.model_error is None
        return HealthResponse(
            status=_name_status(found.ok),
            model_loaded=loaded,
            scaler_loaded=loaded,
            model_version=found.model_version,
            model_error=found.model_error,
            database=DatabaseHealth(
                status=_name_status(found.database_error is None),
                response_time_ms=round(found.database_response_ms, 2),
                reason=found.database_error,
            ),
            version=VERSION,
        )

    @app.get("/health/live", summary="Whether the process answers", tags=["operations"])
    async def live() -> LiveResponse:
        """Touches neither model nor database."""
        return LiveResponse()

    @app.get("/metrics", summary="Counts of this instance", tags=["operations"], response_class=PlainTextResponse)
    async def metrics() -> PlainTextResponse:
        """Prometheus text format. On Lambda each call reaches one instance of many: the fleet is in CloudWatch."""
        text, content_type = telemetry.render_prometheus()
        return PlainTextResponse(text, headers={"content-type": content_type})

    generate_schema = app.openapi

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            _label_problems(generate_schema())
        return cast(dict[str, Any], app.openapi_schema)

    app.openapi = openapi  # type: ignore[method-assign] # the way FastAPI documents
    return app


async def _answer_invalid_request(request: Request, error: Exception) -> JSONResponse:
    errors = cast(RequestValidationError, error).errors()
    if any(item["type"] == "json_invalid" for item in errors):
        return make_problem_response(MALFORMED_JSON, "The body could not be read as JSON.", request.state.request_id)
    listed = list_field_errors(errors)
    detail = "; ".join(f"{item['field']} {item['message']}" for item in listed)
    return make_problem_response(INVALID_INPUT, detail, request.state.request_id, errors=listed)


async def _answer_http_exception(request: Request, error: Exception) -> JSONResponse:
    return make_framework_problem(cast(HTTPException, error), request.state.request_id)


def _describe_problem(description: str) -> dict[str, Any]:
    return {"model": ProblemResponse, "description": description}


def _label_problems(schema: dict[str, Any]) -> None:
    """FastAPI files every model under application/json; problems have a media type of their own."""
    for path in schema["paths"].values():
        for operation in path.values():
            for response in operation["responses"].values():
                content = response.get("content", {})
                if content.get("application/json", {}).get("schema", {}).get("$ref", "").endswith("/ProblemResponse"):
                    content[MEDIA_TYPE] = content.pop("application/json")


def _name_status(ok: bool) -> str:
    return "ok" if ok else "unavailable"
