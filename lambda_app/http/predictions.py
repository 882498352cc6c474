"""/predict, /predict/batch and /predictions/{request_id}: predictions with a record."""

from typing import Any

from fastapi import FastAPI, Request, Response
from pydantic import BaseModel

from lambda_app.errors import RecordNotFoundError
from lambda_app.http.caller import find_caller, parse_idempotency_key
from lambda_app.http.middleware import BATCH_PATH, MAX_BATCH_BODY_BYTES, MAX_BODY_BYTES, parse_request_id
from lambda_app.http.openapi import PREDICTION, IdempotencyKeys, RecordId
from lambda_app.http.responses import describe_prediction_responses, describe_record_responses
from lambda_app.http.schemas import (
    MAX_BATCH,
    BatchRequest,
    BatchResponse,
    PredictionRequest,
    PredictionResponse,
    StoredPredictionResponse,
)
from lambda_app.log.record import OutcomeRecord, PredictionRecord
from lambda_app.log.writer import WriteResult
from lambda_app.service import Case, PredictionService, RequestContext
from problem.table import TABLE


def add_prediction_routes(app: FastAPI, service: PredictionService) -> None:
    """Add the routes of predictions and their records."""

    @app.post(
        "/predict",
        summary=f"Predict for one {TABLE.case}",
        tags=[PREDICTION],
        response_model=PredictionResponse,
        responses=describe_prediction_responses(MAX_BODY_BYTES, "/request_id"),
    )
    async def predict(request: Request, body: PredictionRequest, keys: IdempotencyKeys = None) -> Response:
        """Returns the prediction and its interval after their record is durable."""
        written = service.predict(_read_case(body.model_dump()), _read_context(request, keys))
        [record] = written.records
        return _answer(PredictionResponse, {**_show_prediction(record), **_show_origin(record)}, written)

    @app.post(
        BATCH_PATH,
        summary=f"Predict for up to {MAX_BATCH} {TABLE.cases}",
        tags=[PREDICTION],
        response_model=BatchResponse,
        responses=describe_prediction_responses(
            MAX_BATCH_BODY_BYTES, "/predictions/0/request_id", f"{TABLE.cases}[1]."
        ),
    )
    async def predict_batch(request: Request, body: BatchRequest, keys: IdempotencyKeys = None) -> Response:
        """Returns all predictions after all of their records are durable, or none."""
        cases = [_read_case(values) for values in body.model_dump()[TABLE.cases]]
        written = service.predict_batch(cases, _read_context(request, keys))
        first = written.records[0]
        predictions = [
            {**_show_prediction(record), "model_version": record.model_version} for record in written.records
        ]
        content = {"predictions": predictions, "batch_id": first.batch_id, **_show_origin(first)}
        if any(record.model_version != first.model_version for record in written.records):
            content["model_version"] = None
        return _answer(BatchResponse, content, written)

    @app.get(
        "/predictions/{request_id}",
        summary="An earlier prediction of yours",
        tags=[PREDICTION],
        response_model=StoredPredictionResponse,
        responses=describe_record_responses(),
    )
    async def find_prediction(request: Request, request_id: RecordId) -> dict[str, Any]:
        """Returns the record of a prediction and its outcome, only to its caller."""
        wanted = parse_request_id(request_id)
        if wanted is None:
            raise RecordNotFoundError
        record, outcome = service.find(wanted, find_caller(request.scope.get("aws.event", {})))
        shown = {"features": record.features, **_show_prediction(record), **_show_origin(record)}
        return {**shown, "outcome": outcome and _show_outcome(outcome)}


def _read_case(values: dict[str, Any]) -> Case:
    subject = values.pop("subject")
    return Case(values, subject)


def _read_context(request: Request, keys: IdempotencyKeys) -> RequestContext:
    """Read the context of a request; raises UnknownCallerError or IdempotencyKeyError."""
    return RequestContext(
        request_id=request.state.request_id,
        arrived_at=request.state.arrived_at,
        caller=find_caller(request.scope.get("aws.event", {})),
        idempotency_key=parse_idempotency_key(keys),
    )


def _answer(model: type[BaseModel], content: dict[str, Any], written: WriteResult) -> Response:
    """Build the response directly: FastAPI's `response_model` would take another 3 % of a warm request."""
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
        "subject": record.subject,
        "warnings": record.warnings,
    }


def _show_origin(record: PredictionRecord) -> dict[str, Any]:
    return {"model_version": record.model_version, "timestamp": record.created_at}


def _show_outcome(outcome: OutcomeRecord) -> dict[str, Any]:
    return {"value": outcome.value, "observed_at": outcome.observed_at, "reported_at": outcome.reported_at}
