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


Contributions = create_model(  # type: ignore[call-overload] # mypy does not understand **
    "Contributions",
    __config__=ConfigDict(protected_namespaces=()),
    __doc__="A number for each feature, in units of the prediction; a negative contribution lowers it.",
    **{feature.name: (float, Field(description=feature.meaning)) for feature in TABLE.features},
)


class ExplanationResponse(BaseModel):
    """The prediction and its explanation, without a record."""

    model_config = ConfigDict(protected_namespaces=(), json_schema_extra={"examples": [EXAMPLE_EXPLANATION]})

    prediction: float = Field(description="The prediction of /predict for the same features")
    interval: IntervalResponse = Field(description=INTERVAL)
    base_value: float = Field(description="The prediction for the training mean of every feature")
    contributions: Contributions = Field(  # type: ignore[valid-type]
        description="Shapley values; with the base value, they sum to the prediction"
    )
    standard_errors: Contributions | None = Field(  # type: ignore[valid-type]
        default=None,
        description="The standard error of each contribution, if contributions are estimated: with more than "
        f"{MAX_EXACT_FEATURES} features; absent if they are exact",
    )
    model_version: str = Field(description="The version of the model")
    request_id: UUID = Field(description="The id of this request; it has no record")
    warnings: list[FieldMessage] = Field(description=WARNINGS)


def add_explanation_routes(app: FastAPI, service: PredictionService) -> None:
    """Give the application /explain."""

    @app.post(
        "/explain",
        summary="The contribution of each feature, without a record",
        tags=[EXPLANATION],
        response_model=ExplanationResponse,
        response_model_exclude_unset=True,
        responses=describe_explanation_responses(MAX_BODY_BYTES),
    )
    async def explain(request: Request, response: Response, body: PredictionRequest) -> dict[str, Any]:
        """Returns a prediction, and the contribution of each feature compared with the training mean.

        It is a preview, neither recorded nor counted, and ignores `subject`. Use /predict for a prediction that you
        rely on.
        """
        predictor = service.get_model()
        explanation = predictor.explain(body.model_dump(exclude={"subject"}))
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
