"""/performance: the newest report of the function monitor, how good the predictions were and whether data drifts."""

import json
from datetime import datetime
from typing import Any, Literal

from fastapi import FastAPI, Request, Response
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from lambda_app.errors import (
    BundleError,
    MissingObjectError,
    ReportNotFoundError,
    ReportUnavailableError,
    UnreadableReportError,
)
from lambda_app.http.openapi import OPERATIONS
from lambda_app.http.pages import matches
from lambda_app.http.responses import describe_report_responses
from lambda_app.http.schemas import EXAMPLE_ANSWER
from lambda_app.model.bucket import ModelBucket

REPORT_KEY = "reports/performance.json"

_CONTENT_TYPE = "application/json"

EXAMPLE_REPORT: dict[str, Any] = {
    "format": 1,
    "generated_at": "2026-11-28T01:30:07.115420Z",
    "settings": {"coverage": 0.9, "tolerance": 0.04, "outcomes_to_false_alarm": 10000, "window_days": 30},
    "current_version": EXAMPLE_ANSWER["model_version"],
    "versions": [
        {
            "model_version": EXAMPLE_ANSWER["model_version"],
            "is_current": True,
            "predictions": {"count": 412, "with_outcome": 371},
            "live": {
                "outcomes": 371,
                "rmse": {"value": 54.1, "lower": 50.6, "upper": 57.8},
                "coverage": {"value": 0.895, "lower": 0.861, "upper": 0.923},
            },
            "sentinel": {"outcomes": 371, "evidence": 14.2, "threshold": 10000.0, "is_alarm": False},
        }
    ],
    "drift": {"predictions": 412, "cases": 399, "is_alarm": False, "tests": []},
    "note": "No feature was tested.",
}


class PerformanceResponse(BaseModel):
    """The report of the function monitor. docs/api.md names the fields of its parts."""

    # Built at the first request: a cold start would pay 3 ms for what few ask.
    model_config = ConfigDict(
        protected_namespaces=(), defer_build=True, json_schema_extra={"examples": [EXAMPLE_REPORT]}
    )

    format: Literal[1]
    generated_at: datetime = Field(description="When the report was made, UTC")
    settings: dict[str, Any] = Field(
        description="What the report was made by: promise, tolerance, window, false alarms"
    )
    current_version: str | None = Field(description="The version of the model that was current; null if none was")
    versions: list[dict[str, Any]] = Field(
        description="For each version: what was promised, predictions, outcomes and their delay, live figures with "
        "intervals of 95 %, and the evidence against the promised coverage"
    )
    candidate: dict[str, Any] | None = Field(
        default=None, description="The candidate beside the current version; null without one"
    )
    drift: dict[str, Any] | None = Field(description="The tests of features and prediction; null where none was made")
    note: str | None = Field(description="Why nothing was tested, if so")


class ReportReader:
    """Reads the newest report, and keeps it until S3 has another."""

    def __init__(self, bucket: ModelBucket) -> None:
        self._bucket = bucket
        self._content = b""
        self._etag: str | None = None

    def read(self) -> tuple[bytes, str]:
        """Return the report and its ETag.

        Raises ReportNotFoundError, ReportUnavailableError or UnreadableReportError.
        """
        try:
            changed = self._bucket.fetch_changed(REPORT_KEY, self._etag)
        except MissingObjectError as error:
            raise ReportNotFoundError from error
        except BundleError as error:
            raise ReportUnavailableError(str(error)) from error
        if changed is not None:
            content, etag = changed
            _check_report(content)
            self._content, self._etag = content, etag
        return self._content, self._etag or ""


def _check_report(content: bytes) -> None:
    # Python reads NaN, which no browser does, and a browser reads what this returns.
    try:
        PerformanceResponse.model_validate(json.loads(content, parse_constant=_refuse_constant))
    except (ValueError, RecursionError, ValidationError) as error:
        raise UnreadableReportError(f"{REPORT_KEY} has another format than 1, or is damaged.") from error


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is no number of JSON")


def add_performance_routes(app: FastAPI, bucket: ModelBucket) -> None:
    """Give the application /performance. S3 is asked when a request is, and not before."""
    reader = ReportReader(bucket)

    @app.get(
        "/performance",
        summary="The newest report of the monitor",
        tags=[OPERATIONS],
        response_model=PerformanceResponse,
        responses=describe_report_responses(),
    )
    async def performance(request: Request) -> Response:
        """Returns how far the predictions were from what really happened, and whether the data drifts."""
        content, etag = reader.read()
        # The browser asks each time, and gets the report only once.
        headers = {"etag": etag, "cache-control": "no-cache", "content-type": _CONTENT_TYPE}
        if matches(etag, request.headers.getlist("if-none-match")):
            return Response(status_code=304, headers=headers)
        return Response(content, headers=headers)
