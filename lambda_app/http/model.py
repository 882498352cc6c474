"""/model: the current model, its features and target, its training outcomes, and the candidate beside it."""

from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Literal

from fastapi import FastAPI
from pydantic import BaseModel, ConfigDict, Field

from lambda_app.http.openapi import EXPLANATION
from lambda_app.http.responses import describe_model_responses
from lambda_app.http.schemas import EXAMPLE_ANSWER
from lambda_app.model.bundle import SeenFeature
from lambda_app.service import PredictionService
from lambda_app.table import Feature, Kind
from problem.table import TABLE

if TYPE_CHECKING:
    from lambda_app.model.trial import Trial


class ChoiceResponse(BaseModel):
    """An accepted code of a feature of the type "choices"."""

    value: int
    label: str


class ServedFeature(BaseModel):
    """A feature with its accepted values and its training range."""

    name: str
    meaning: str
    type: Kind = Field(description='"real" for any number, "integer" for a whole one, "choices" for one of a few codes')
    unit: str
    choices: list[ChoiceResponse] = Field(description='The accepted codes of the type "choices"; else empty')
    minimum: float = Field(description="The lowest value that is accepted")
    maximum: float = Field(description="The highest value that is accepted")
    typical: float | None = Field(description="The median in training; null if the published model has none")
    training_minimum: float
    training_maximum: float


class TargetResponse(BaseModel):
    """The predicted quantity."""

    name: str
    meaning: str
    unit: str


class OutcomesResponse(BaseModel):
    """The histogram of the target in the training data."""

    minimum: float
    maximum: float
    mean: float
    bin_edges: list[float] = Field(description="In ascending order; one more than counts")
    counts: list[int] = Field(description="The number of rows from each edge to the next")


class CandidateResponse(BaseModel):
    """A version that is tried beside the current one."""

    model_config = ConfigDict(protected_namespaces=())

    model_version: str
    mode: Literal["shadow", "canary"] = Field(
        description='"shadow" if its predictions are only recorded, "canary" if it answers in its share of the cases'
    )
    share: float = Field(description="The share of the cases that it predicts for, above 0 and at most 1")
    fault: str | None = Field(description="Why it is not asked at present by the process that answers; null if it is")


def _show_feature(feature: Feature, seen: SeenFeature) -> dict[str, Any]:
    return {
        "name": feature.name,
        "meaning": feature.meaning,
        "type": feature.kind,
        "unit": feature.unit,
        "choices": [{"value": value, "label": label} for value, label in feature.choices.items()],
        "minimum": feature.minimum,
        "maximum": feature.maximum,
        "typical": seen.median,
        "training_minimum": seen.minimum,
        "training_maximum": seen.maximum,
    }


_TARGET = {name: getattr(TABLE.target, name) for name in TargetResponse.model_fields}
_INTERVAL = EXAMPLE_ANSWER["interval"]
EXAMPLE_MODEL: dict[str, Any] = {
    "model_version": EXAMPLE_ANSWER["model_version"],
    "case": TABLE.case,
    "cases": TABLE.cases,
    "features": [
        _show_feature(feature, SeenFeature(feature.minimum, feature.maximum, feature.example))
        for feature in TABLE.features
    ],
    "target": _TARGET,
    "outcomes": {
        **{"minimum": _INTERVAL["lower"], "maximum": _INTERVAL["upper"], "mean": EXAMPLE_ANSWER["prediction"]},
        **{"bin_edges": [_INTERVAL["lower"], EXAMPLE_ANSWER["prediction"], _INTERVAL["upper"]], "counts": [38, 5]},
    },
    "candidate": {
        "model_version": "20261201T090000Z-7c1d2e3f",
        "mode": "canary",
        "share": 0.05,
        "fault": "models/20261201T090000Z-7c1d2e3f/model.tflite cannot be read from S3: NoSuchKey",
    },
}


class ModelResponse(BaseModel):
    """The current model."""

    model_config = ConfigDict(protected_namespaces=(), json_schema_extra={"examples": [EXAMPLE_MODEL]})

    model_version: str
    case: str = Field(description="The name of a row of the data")
    cases: str = Field(description="Its plural, and the name of the list in a batch request")
    features: list[ServedFeature] = Field(description="In the order of the training columns")
    target: TargetResponse
    outcomes: OutcomesResponse | None = Field(description="Null if the published model has none")
    candidate: CandidateResponse | None = Field(description="Null if none is tried")


def add_model_routes(app: FastAPI, service: PredictionService) -> None:
    """Give the application /model."""

    @app.get(
        "/model",
        summary="The current model",
        tags=[EXPLANATION],
        response_model=ModelResponse,
        responses=describe_model_responses(),
    )
    async def model() -> dict[str, Any]:
        """Returns the version, the features with accepted values and training ranges, the target, and its outcomes.

        While another version is tried beside this one, `candidate` says which, and how.
        """
        manifest = service.get_model().manifest
        features = [_show_feature(feature, manifest.features[feature.name]) for feature in TABLE.features]
        outcomes = None if manifest.outcomes is None else asdict(manifest.outcomes)
        return {
            "model_version": manifest.version,
            "case": TABLE.case,
            "cases": TABLE.cases,
            "features": features,
            "target": _TARGET,
            "outcomes": outcomes,
            "candidate": _show_candidate(service.get_trial()),
        }


def _show_candidate(trial: "Trial | None") -> dict[str, Any] | None:
    if trial is None:
        return None
    candidate = trial.candidate
    shown = {"model_version": candidate.version, "mode": candidate.mode, "share": candidate.share}
    return {**shown, "fault": trial.fault}
