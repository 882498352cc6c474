"""The HTTP interface: routes, problem details, documentation."""

from http import HTTPStatus
from typing import Any, cast

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, PlainTextResponse
from pydantic import BaseModel
from starlette.exceptions import HTTPException

from lambda_app import VERSION
from lambda_app.body import BodyError, JsonRoute
from lambda_app.caller import find_caller, parse_idempotency_key
from lambda_app.errors import INVALID_INPUT, RecordNotFoundError
from lambda_app.explanation import add_explanation_routes
from lambda_app.log.record import PredictionRecord
from lambda_app.log.writer import Written
from lambda_app.middleware import (
    BATCH_PATH,
    MAX_BATCH_BODY_BYTES,
    MAX_BODY_BYTES,
    RequestMiddleware,
    parse_request_id,
)
from lambda_app.openapi import (
    DESCRIPTION,
    IDEMPOTENCY_KEY,
    OPERATIONS,
    PREDICTION,
    SERVERS,
    TAGS,
    RecordId,
    add_description,
)
from lambda_app.pages import add_pages
from lambda_app.problems import list_field_errors, make_framework_problem, make_problem_response
from lambda_app.responses import (
    describe_failure,
    describe_health_responses,
    describe_metrics_responses,
    describe_prediction_responses,
    describe_record_responses,
)
from lambda_app.schemas import (
    BatchRequest,
    BatchResponse,
    DatabaseHealth,
    DependencyHealth,
    HealthResponse,
    LiveResponse,
    PredictionRequest,
    PredictionResponse,
    StoredPredictionResponse,
)
from lambda_app.service import Call, Dependency, PredictionService
from lambda_app.telemetry import Telemetry


def create_app(service: PredictionService, telemetry: Telemetry, *, pages: bool) -> FastAPI:
    """The ASGI application; `pages` says whether people find the page and the documentation there.

    The endpoints are coroutines that block on purpose. An execution environment handles one request at a time, so a
    thread pool would only add a thread to each request, and locks to the model and the connection.
    """
    app = FastAPI(
        title="Diabetes progression",
        version=VERSION,
        description=DESCRIPTION,
        # Of our own, in lambda_app.openapi: FastAPI's own is the same for every caller.
        openapi_url=None,
        # Of our own, in lambda_app.pages: FastAPI's own asks other hosts for its files.
        docs_url=None,
        redoc_url=None,
        # FastAPI's own tracing hands request bodies and refused values to whatever OpenTelemetry exports.
        telemetry={"tracing": False, "metrics": False, "logs": False, "operation_spans": False},
        openapi_tags=TAGS,
        servers=SERVERS,
        responses=describe_failure(),
        generate_unique_id_function=lambda route: route.name,
        # They would lead to whatever host the request names.
        redirect_slashes=False,
    )
    app.router.route_class = JsonRoute
    app.add_middleware(RequestMiddleware, telemetry=telemetry)
    app.add_exception_handler(RequestValidationError, _answer_invalid_request)
    app.add_exception_handler(BodyError, _answer_refused_body)
    app.add_exception_handler(HTTPException, _answer_http_exception)

    @app.post(
        "/predict",
        summary="Predict for one patient",
        tags=[PREDICTION],
        response_model=PredictionResponse,
        responses=describe_prediction_responses(MAX_BODY_BYTES, "/request_id", "sex"),
        openapi_extra={"parameters": [IDEMPOTENCY_KEY]},
    )
    async def predict(request: Request, body: PredictionRequest) -> Response:
        """Answers with the predicted disease progression and its interval, once their record is durable."""
        written = service.predict(body.model_dump(), _describe_call(request))
        [record] = written.records
        return _answer(PredictionResponse, {**_show_prediction(record), **_show_origin(record)}, written)

    @app.post(
        BATCH_PATH,
        summary="Predict for up to a thousand patients",
        tags=[PREDICTION],
        response_model=BatchResponse,
        responses=describe_prediction_responses(MAX_BATCH_BODY_BYTES, "/predictions/0/request_id", "patients[1].sex"),
        openapi_extra={"parameters": [IDEMPOTENCY_KEY]},
    )
    async def predict_batch(request: Request, body: BatchRequest) -> Response:
        """Answers for all patients, once all of their records are durable, or for none."""
        written = service.predict_batch(body.model_dump()["patients"], _describe_call(request))
        first = written.records[0]
        predictions = [_show_prediction(record) for record in written.records]
        content = {"predictions": predictions, "batch_id": first.batch_id, **_show_origin(first)}
        return _answer(BatchResponse, content, written)

    @app.get(
        "/predictions/{request_id}",
        summary="An earlier prediction of yours",
        tags=[PREDICTION],
        response_model=StoredPredictionResponse,
        responses=describe_record_responses(),
    )
    async def find_prediction(request: Request, request_id: RecordId) -> dict[str, Any]:
        """The record as it was made; only who made a prediction can see it."""
        wanted = parse_request_id(request_id)
        if wanted is None:
            raise RecordNotFoundError
        record = service.find(wanted, find_caller(request.scope.get("aws.event", {})))
        return {"features": record.features, **_show_prediction(record), **_show_origin(record)}

    add_explanation_routes(app, service)

    @app.get(
        "/health",
        summary="Whether the service can do its work",
        tags=[OPERATIONS],
        response_model=HealthResponse,
        responses=describe_health_responses(),
    )
    async def health(response: Response) -> HealthResponse:
        """Loads the model if there is none yet, and asks database and queue for a sign of life."""
        found = service.check_health()
        if found.status == "unavailable":
            response.status_code = HTTPStatus.SERVICE_UNAVAILABLE
        loaded = found.model_error is None
        return HealthResponse(
            status=found.status,
            model_loaded=loaded,
            scaler_loaded=loaded,
            model_version=found.model_version,
            model_error=found.model_error,
            database=DatabaseHealth(**_show_dependency(found.database), circuit=found.circuit),
            queue=DependencyHealth(**_show_dependency(found.queue)),
            version=VERSION,
        )

    @app.get(
        "/health/live",
        summary="Whether the process answers",
        tags=[OPERATIONS],
        responses={200: {"description": "It does"}},
    )
    async def live() -> LiveResponse:
        """Touches neither model nor database."""
        return LiveResponse()

    @app.get(
        "/metrics",
        summary="Counts of this instance",
        tags=[OPERATIONS],
        response_class=PlainTextResponse,
        responses=describe_metrics_responses(),
    )
    async def metrics() -> PlainTextResponse:
        """Prometheus text format. On Lambda each call reaches one instance of many: the fleet is in CloudWatch."""
        text, content_type = telemetry.render_prometheus()
        return PlainTextResponse(text, headers={"content-type": content_type})

    if pages:
        add_pages(app)
        add_description(app)
    return app


async def _answer_invalid_request(request: Request, error: Exception) -> JSONResponse:
    listed = list_field_errors(cast(RequestValidationError, error).errors())
    detail = "; ".join(f"{item['field']} {item['message']}" for item in listed)
    return make_problem_response(INVALID_INPUT, detail, request.state.request_id, errors=listed)


async def _answer_refused_body(request: Request, error: Exception) -> JSONResponse:
    refused = cast(BodyError, error)
    return make_problem_response(
        refused.problem, refused.detail, request.state.request_id, errors=refused.errors, headers=refused.headers
    )


async def _answer_http_exception(request: Request, error: Exception) -> JSONResponse:
    return make_framework_problem(cast(HTTPException, error), request.state.request_id)


def _describe_call(request: Request) -> Call:
    """Raises UnknownCallerError or IdempotencyKeyError."""
    return Call(
        request_id=request.state.request_id,
        arrived_at=request.state.arrived_at,
        caller=find_caller(request.scope.get("aws.event", {})),
        # All of the headers, where FastAPI hands over the last: two keys are none.
        idempotency_key=parse_idempotency_key(request.headers.getlist("idempotency-key")),
    )


def _answer(model: type[BaseModel], content: dict[str, Any], written: Written) -> Response:
    """A finished one: through `response_model` FastAPI takes 3 % of a warm request more to make the same."""
    headers = {"x-prediction-record": written.destination}
    if written.replayed:
        headers["idempotency-replayed"] = "true"
    return Response(model.model_validate(content).model_dump_json(), headers=headers, media_type="application/json")


def _show_prediction(record: PredictionRecord) -> dict[str, Any]:
    interval = None
    if record.interval_lower is not None:
        ends = {"lower": record.interval_lower, "upper": record.interval_upper}
        interval = {**ends, "coverage": record.interval_coverage}
    return {
        "prediction": record.prediction,
        "interval": interval,
        "request_id": record.request_id,
        "warnings": record.warnings,
    }


def _show_origin(record: PredictionRecord) -> dict[str, Any]:
    return {"model_version": record.model_version, "timestamp": record.created_at}


def _show_dependency(dependency: Dependency) -> dict[str, Any]:
    return {
        "status": "ok" if dependency.error is None else "unavailable",
        "response_time_ms": round(dependency.response_ms, 2),
        "reason": dependency.error,
    }
