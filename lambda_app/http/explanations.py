"""/explain: the contribution of each feature to a prediction. It leaves no record."""

from dataclasses import asdict
from typing import Any
from uuid import UUID

from fastapi import FastAPI, Request, Response
from pydantic import BaseModel, ConfigDict, Field, create_model

from lambda_app.http.middleware import MAX_BODY_BYTES
from lambda_app.http.openapi import EXPLANATION
from lambda_app.http.responses import describe_explanation_responses
from lambda_app.http.schemas import (
    EXAMPLE_ANSWER,
    INTERVAL,
    TARGET,
    WARNINGS,
    FieldMessage,
    IntervalResponse,
    PredictionRequest,
)
from lambda_app.model.shapley import MAX_EXACT_FEATURES
from lambda_app.service import PredictionService
from problem.table import TABLE

_CONTRIBUTIONS = {name: TARGET.example * 0.2 * (-0.5) ** index for index, name in enumerate(TABLE.names)}
EXAMPLE_EXPLANATION: dict[str, Any] = {
    "prediction": EXAMPLE_ANSWER["prediction"],
    "interval": EXAMPLE_ANSWER["interval"],
    "base_value": EXAMPLE_ANSWER["prediction"] - sum(_CONTRIBUTIONS.values()),
    "contributions": _CONTRIBUTIONS,
    "model_version": EXAMPLE_ANSWER["model_version"],
    "request_id": EXAMPLE_ANSWER["request_id"],
    "warnings": [],
}


Contributions = create_model(  # type: ignore[call-overload] # it cannot see through **
    "Contributions",
    __config__=ConfigDict(protected_namespaces=()),
    __doc__="A number for each feature, in units of the prediction; a contribution below zero takes away.",
    **{feature.name: (float, Field(description=feature.meaning)) for feature in TABLE.features},
)


class ExplanationResponse(BaseModel):
    """The answer, and how it came about; there is no record of it."""

    model_config = ConfigDict(protected_namespaces=(), json_schema_extra={"examples": [EXAMPLE_EXPLANATION]})

    prediction: float = Field(description="What /predict answers for the same features")
    interval: IntervalResponse = Field(description=INTERVAL)
    base_value: float = Field(description="What the model answers for the training mean of every feature")
    contributions: Contributions = Field(  # type: ignore[valid-type]
        description="Shapley values; the base value and they sum to the prediction"
    )
    standard_errors: Contributions | None = Field(  # type: ignore[valid-type]
        default=None,
        description="The standard error of each contribution where they are estimated, which they are for more than "
        f"{MAX_EXACT_FEATURES} features; absent where they are exact",
    )
    model_version: str = Field(description="The version of the model that answered")
    request_id: UUID = Field(description="The id of this request; no record has it")
    warnings: list[FieldMessage] = Field(description=WARNINGS)


def add_explanation_routes(app: FastAPI, service: PredictionService) -> None:
    """Give the application /explain."""

    @app.post(
        "/explain",
        summary="What moves a prediction, without a record",
        tags=[EXPLANATION],
        response_model=ExplanationResponse,
        response_model_exclude_unset=True,
        responses=describe_explanation_responses(MAX_BODY_BYTES),
    )
    async def explain(request: Request, response: Response, body: PredictionRequest) -> dict[str, Any]:
        """A preview: the prediction, and what each feature adds to it against the training mean.

        It is neither recorded nor counted as a prediction: an answer that somebody relies on comes from /predict.
        """
        predictor = service.get_model()
        explanation = predictor.explain(body.model_dump())
        response.headers["x-prediction-record"] = "none"
        estimated = explanation.standard_errors is not None
        return {
            "prediction": explanation.prediction.value,
            "interval": asdict(explanation.prediction.interval),
            "base_value": explanation.base_value,
            "contributions": explanation.contributions,
            **({"standard_errors": explanation.standard_errors} if estimated else {}),
            "model_version": predictor.version,
            "request_id": request.state.request_id,
            "warnings": [asdict(warning) for warning in explanation.prediction.warnings],
        }
