"""/health and /health/live."""

from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Response

from lambda_app import VERSION
from lambda_app.http.openapi import OPERATIONS
from lambda_app.http.responses import describe_health_responses
from lambda_app.http.schemas import DatabaseHealth, DependencyHealth, HealthResponse, LiveResponse
from lambda_app.service import Dependency, PredictionService


def add_health_routes(app: FastAPI, service: PredictionService) -> None:
    """Give the application /health and /health/live."""

    @app.get(
        "/health",
        summary="State of the service",
        tags=[OPERATIONS],
        response_model=HealthResponse,
        responses=describe_health_responses(),
    )
    async def health(response: Response) -> HealthResponse:
        """Checks the database, the queue and the model; loads the model if none is loaded yet."""
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
            database=DatabaseHealth(
                **_show_dependency(found.database), note=found.database.note, circuit=found.circuit
            ),
            queue=DependencyHealth(**_show_dependency(found.queue)),
            version=VERSION,
        )

    @app.get(
        "/health/live",
        summary="State of the process",
        tags=[OPERATIONS],
        responses={200: {"description": "It does"}},
    )
    async def live() -> LiveResponse:
        """Returns 200 without checking the model or the database."""
        return LiveResponse()


def _show_dependency(dependency: Dependency) -> dict[str, Any]:
    return {
        "status": "ok" if dependency.error is None else "unavailable",
        "response_time_ms": round(dependency.response_ms, 2),
        "reason": dependency.error,
    }
