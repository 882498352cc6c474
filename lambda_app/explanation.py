"""The routes that tell of the model and leave no record: /explain and /model."""

from dataclasses import asdict
from typing import Any

from fastapi import FastAPI, Request, Response

from lambda_app.features import FEATURES, Feature
from lambda_app.middleware import MAX_BODY_BYTES
from lambda_app.model.bundle import SeenFeature
from lambda_app.openapi import describe_explanation_responses, describe_problem
from lambda_app.schemas import ExplanationResponse, ModelResponse, PredictionRequest
from lambda_app.service import PredictionService


def add_explanation_routes(app: FastAPI, service: PredictionService) -> None:
    """Give the application /explain and /model."""

    @app.post(
        "/explain",
        summary="What moves a prediction, without a record",
        tags=["prediction"],
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
        tags=["prediction"],
        response_model=ModelResponse,
        responses={503: describe_problem("No model is loaded")},
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
