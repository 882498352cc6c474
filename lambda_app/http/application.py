"""The ASGI application: all routes, and the problem details of refused and failed requests."""

from typing import cast

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from lambda_app import VERSION
from lambda_app.http.body import BodyError, JsonRoute
from lambda_app.http.explanations import add_explanation_routes
from lambda_app.http.health import add_health_routes
from lambda_app.http.metrics import add_metrics_routes
from lambda_app.http.middleware import RequestMiddleware
from lambda_app.http.model import add_model_routes
from lambda_app.http.openapi import SERVERS, TAGS, add_description
from lambda_app.http.outcomes import add_outcome_routes
from lambda_app.http.pages import add_pages
from lambda_app.http.predictions import add_prediction_routes
from lambda_app.http.problems import (
    list_field_errors,
    make_framework_problem,
    make_problem_response,
    make_refusal,
)
from lambda_app.http.responses import describe_failure
from lambda_app.service import PredictionService
from lambda_app.telemetry import Telemetry
from problem.table import TABLE


def create_app(service: PredictionService, telemetry: Telemetry, *, pages: bool) -> FastAPI:
    """Create the ASGI application; `pages` adds the page and the documentation.

    The endpoints are coroutines that block on purpose. An execution environment handles one request at a time, so a
    thread pool would only add a thread to each request, and the model and the connection would need locks.
    """
    app = FastAPI(
        title=TABLE.title,
        version=VERSION,
        description=TABLE.description,
        # lambda_app.http.openapi adds its own route: FastAPI's would return the same for every caller.
        openapi_url=None,
        # lambda_app.http.pages adds its own route: FastAPI's would load files from other hosts.
        docs_url=None,
        redoc_url=None,
        # FastAPI's tracing would pass request bodies and refused values to every OpenTelemetry exporter.
        telemetry={"tracing": False, "metrics": False, "logs": False, "operation_spans": False},
        openapi_tags=TAGS,
        servers=SERVERS,
        responses=describe_failure(),
        generate_unique_id_function=lambda route: route.name,
        # A redirect would lead to the host that the request names.
        redirect_slashes=False,
    )
    app.router.route_class = JsonRoute
    app.add_middleware(RequestMiddleware, telemetry=telemetry)
    app.add_exception_handler(RequestValidationError, _answer_invalid_request)
    app.add_exception_handler(BodyError, _answer_refused_body)
    app.add_exception_handler(HTTPException, _answer_http_exception)

    add_prediction_routes(app, service)
    add_outcome_routes(app, service)
    add_explanation_routes(app, service)
    add_model_routes(app, service)
    add_health_routes(app, service)
    add_metrics_routes(app, telemetry)
    if pages:
        add_pages(app)
        add_description(app)
    return app


async def _answer_invalid_request(request: Request, error: Exception) -> JSONResponse:
    listed = list_field_errors(cast(RequestValidationError, error).errors())
    return make_refusal(listed, request.state.request_id)


async def _answer_refused_body(request: Request, error: Exception) -> JSONResponse:
    refused = cast(BodyError, error)
    return make_problem_response(
        refused.problem, refused.detail, request.state.request_id, errors=refused.errors, headers=refused.headers
    )


async def _answer_http_exception(request: Request, error: Exception) -> JSONResponse:
    return make_framework_problem(cast(HTTPException, error), request.state.request_id)
