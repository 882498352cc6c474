"""The routes that tell of the model and leave no record, /explain and /model, and what they answer."""

from dataclasses import asdict
from typing import Any
from uuid import UUID

from fastapi import FastAPI, Request, Response
from pydantic import BaseModel, ConfigDict, Field, create_model

from lambda_app.features import FEATURES, Feature
from lambda_app.middleware import MAX_BODY_BYTES
from lambda_app.model.bundle import SeenFeature
from lambda_app.openapi import EXPLANATION
from lambda_app.responses import describe_explanation_responses, describe_model_responses
from lambda_app.schemas import EXAMPLE_ANSWER, WARNINGS, FieldMessage, IntervalResponse, PredictionRequest
from lambda_app.service import PredictionService

EXAMPLE_EXPLANATION: dict[str, Any] = {
    "prediction": EXAMPLE_ANSWER["prediction"],
    "interval": EXAMPLE_ANSWER["interval"],
    "base_value": 145.2,
    "contributions": {
        **{"age": 3.8, "sex": -8.7, "bmi": 37.6, "bp": 8.5, "s1": -16.1},
        **{"s2": 15.2, "s3": 17.6, "s4": -0.1, "s5": 7.4, "s6": -2.0},
    },
    "model_version": EXAMPLE_ANSWER["model_version"],
    "request_id": EXAMPLE_ANSWER["request_id"],
    "warnings": [],
}
EXAMPLE_MODEL: dict[str, Any] = {
    "model_version": EXAMPLE_ANSWER["model_version"],
    "features": [
        {
            **{"name": "age", "meaning": "Age", "unit": "years", "minimum": 0, "maximum": 120},
            **{"typical": 50, "training_minimum": 19, "training_maximum": 79},
        }
    ],
    "outcomes": {"minimum": 25, "maximum": 346, "mean": 152.1, "bin_edges": [20, 40, 60], "counts": [5, 38]},
}


Contributions = create_model(  # type: ignore[call-overload] # it cannot see through **
    "Contributions",
    __doc__="What each measurement adds to the base value, in units of the prediction; below zero it takes away.",
    **{feature.name: (float, Field(description=feature.meaning)) for feature in FEATURES},
)


class ExplanationResponse(BaseModel):
    """The answer, and how it came about; there is no record of it."""

    model_config = ConfigDict(protected_namespaces=(), json_schema_extra={"examples": [EXAMPLE_EXPLANATION]})

    prediction: float = Field(description="What /predict answers for the same measurements")
    interval: IntervalResponse = Field(description="Where the true progression lies for most patients")
    base_value: float = Field(description="What the model answers for the training mean of every measurement")
    contributions: Contributions = Field(  # type: ignore[valid-type]
        description="Exact Shapley values; the base value and they sum to the prediction"
    )
    model_version: str = Field(description="The version of the model that answered")
    request_id: UUID = Field(description="The id of this request; no record has it")
    warnings: list[FieldMessage] = Field(description=WARNINGS)


class ServedFeature(BaseModel):
    """One measurement: what is accepted, and what training saw."""

    name: str
    meaning: str
    unit: str
    minimum: float = Field(description="The lowest value that is accepted")
    maximum: float = Field(description="The highest value that is accepted")
    typical: float | None = Field(description="The median in training; null for a model published without it")
    training_minimum: float
    training_maximum: float


class OutcomesResponse(BaseModel):
    """The histogram of the progressions of the patients that the model learned from."""

    minimum: float
    maximum: float
    mean: float
    bin_edges: list[float] = Field(description="In ascending order, one more than there are counts")
    counts: list[int] = Field(description="How many patients there are from each edge to the next")


class ModelResponse(BaseModel):
    """The model that answers now."""

    model_config = ConfigDict(protected_namespaces=(), json_schema_extra={"examples": [EXAMPLE_MODEL]})

    model_version: str
    features: list[ServedFeature] = Field(description="In the order of the training's columns")
    outcomes: OutcomesResponse | None = Field(description="Null for a model published without them")


def add_explanation_routes(app: FastAPI, service: PredictionService) -> None:
    """Give the application /explain and /model."""

    @app.post(
        "/explain",
        summary="What moves a prediction, without a record",
        tags=[EXPLANATION],
        response_model=ExplanationResponse,
        responses=describe_explanation_responses(MAX_BODY_BYTES),
    )
    async def explain(request: Request, response: Response, body: PredictionRequest) -> dict[str, Any]:
        """A preview: the prediction, and what each measurement adds to it against the training mean.

        It is neither recorded nor counted as a prediction: an answer that somebody relies on comes from /predict.
        """
        predictor = service.get_model()
        explanation = predictor.explain(body.model_dump())
        response.headers["x-prediction-record"] = "none"
        return {
            "prediction": explanation.prediction.value,
            "interval": asdict(explanation.prediction.interval),
            "base_value": explanation.base_value,
            "contributions": explanation.contributions,
            "model_version": predictor.version,
            "request_id": request.state.request_id,
            "warnings": [asdict(warning) for warning in explanation.prediction.warnings],
        }

    @app.get(
        "/model",
        summary="The model that answers now",
        tags=[EXPLANATION],
        response_model=ModelResponse,
        responses=describe_model_responses(),
    )
    async def model() -> dict[str, Any]:
        """Its version, its measurements with what is accepted and what training saw, and the training's outcomes."""
        manifest = service.get_model().manifest
        features = [_show_feature(feature, manifest.features[feature.name]) for feature in FEATURES]
        outcomes = None if manifest.outcomes is None else asdict(manifest.outcomes)
        return {"model_version": manifest.version, "features": features, "outcomes": outcomes}


def _show_feature(feature: Feature, seen: SeenFeature) -> dict[str, Any]:
    return {
        "name": feature.name,
        "meaning": feature.meaning,
        "unit": feature.unit,
        "minimum": feature.minimum,
        "maximum": feature.maximum,
        "typical": seen.median,
        "training_minimum": seen.minimum,
        "training_maximum": seen.maximum,
    }
