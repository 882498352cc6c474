"""/model: the model that answers now, its features, and the outcomes it was trained on."""

from dataclasses import asdict
from typing import Any

from fastapi import FastAPI
from pydantic import BaseModel, ConfigDict, Field

from lambda_app.http.openapi import EXPLANATION
from lambda_app.http.responses import describe_model_responses
from lambda_app.http.schemas import EXAMPLE_ANSWER
from lambda_app.model.bundle import SeenFeature
from lambda_app.service import PredictionService
from lambda_app.table import Feature
from problem.table import TABLE

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


def add_model_routes(app: FastAPI, service: PredictionService) -> None:
    """Give the application /model."""

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
        features = [_show_feature(feature, manifest.features[feature.name]) for feature in TABLE.features]
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
