"""/metrics: the counts of this process in Prometheus text format."""

from fastapi import FastAPI
from fastapi.responses import PlainTextResponse

from lambda_app.http.openapi import OPERATIONS
from lambda_app.http.responses import describe_metrics_responses
from lambda_app.telemetry import Telemetry


def add_metrics_routes(app: FastAPI, telemetry: Telemetry) -> None:
    """Give the application /metrics."""

    @app.get(
        "/metrics",
        summary="Counts of this execution environment",
        tags=[OPERATIONS],
        response_class=PlainTextResponse,
        responses=describe_metrics_responses(),
    )
    async def metrics() -> PlainTextResponse:
        """Returns Prometheus text of one execution environment. CloudWatch has the metrics of all of them."""
        text, content_type = telemetry.render_prometheus()
        return PlainTextResponse(text, headers={"content-type": content_type})
