"""The request and response models of the API, built from the features."""

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, WithJsonSchema, create_model

from lambda_app import VERSION
from lambda_app.errors import INVALID_INPUT
from lambda_app.table import Feature, Kind
from problem.table import TABLE

TARGET = TABLE.target
EXAMPLE_REQUEST: dict[str, Any] = TABLE.example
EXAMPLE_SUBJECT = "case-4711"
_LOWER, _UPPER = sorted((0.5 * TARGET.example, 1.5 * TARGET.example))
EXAMPLE_ANSWER: dict[str, Any] = {
    "prediction": TARGET.example,
    "interval": {"lower": _LOWER, "upper": _UPPER, "coverage": 0.9},
    "model_version": "20261123T104500Z-0f3a9c1e",
    "timestamp": "2026-11-23T11:00:00.123456Z",
    "request_id": "5f2b8f0e-7d1c-4c7c-9f51-0f6f6f0f7a11",
    "subject": EXAMPLE_SUBJECT,
    "warnings": [],
}
EXAMPLE_OUTCOME: dict[str, Any] = {
    "request_id": EXAMPLE_ANSWER["request_id"],
    "value": TARGET.example,
    "observed_at": "2026-11-24T09:30:00+01:00",
}
EXAMPLE_REPORTED_AT = "2026-11-24T10:00:00.123456Z"
_KNOWN_OUTCOME = {
    "value": EXAMPLE_OUTCOME["value"],
    "observed_at": "2026-11-24T08:30:00Z",
    "reported_at": EXAMPLE_REPORTED_AT,
}
OUTCOME_LIMITS = {
    "request_id": "the UUID of a prediction",
    "value": TARGET.limits,
    "observed_at": f"a time by RFC 3339 with its offset from UTC, such as {EXAMPLE_OUTCOME['observed_at']}",
}
# The documentation shows an error for this feature: one with choices, if there is one.
REFUSED_FEATURE = next((feature for feature in TABLE.features if feature.choices), TABLE.features[0])
EXAMPLE_REFUSAL: dict[str, Any] = {"field": REFUSED_FEATURE.name, "message": f"must be {REFUSED_FEATURE.limits}"}
EXAMPLE_OUTCOME_REFUSAL: dict[str, Any] = {"field": "outcomes[1].value", "message": f"must be {TARGET.limits}"}
EXAMPLE_MODEL_FAILURE = "models/current.json cannot be read from S3: NoSuchKey"
EXAMPLE_HEALTH: dict[str, Any] = {
    "status": "ok",
    "model_loaded": True,
    "scaler_loaded": True,
    "model_version": EXAMPLE_ANSWER["model_version"],
    "model_error": None,
    "database": {"status": "ok", "response_time_ms": 1.84, "reason": None, "note": None, "circuit": "closed"},
    "queue": {"status": "ok", "response_time_ms": 6.6, "reason": None},
    "version": VERSION,
}


def _describe_field(feature: Feature) -> tuple[Any, Any]:
    description = f"{feature.meaning}: {feature.limits}"
    if feature.kind is Kind.REAL:
        return Annotated[
            float,
            Field(
                strict=True,
                allow_inf_nan=False,
                ge=feature.minimum,
                le=feature.maximum,
                description=description,
                examples=[feature.example],
            ),
        ], ...
    schema: dict[str, Any] = {"type": "integer", "description": description, "examples": [int(feature.example)]}
    if feature.kind is Kind.CHOICES:
        schema["enum"] = list(feature.choices)
    else:
        schema |= {"minimum": feature.minimum, "maximum": feature.maximum}

    def require_accepted(value: float) -> float:
        if not feature.accepts(value):
            raise ValueError(f"must be {feature.limits}")
        return value

    # A float with a whole value, not an int or a Literal: data frames write 1.0, and JSON has one number type.
    return Annotated[float, Field(strict=True), AfterValidator(require_accepted), WithJsonSchema(schema)], ...


_EXAMPLE = {**EXAMPLE_REQUEST, "subject": EXAMPLE_SUBJECT}
MAX_SUBJECT_LENGTH = 128
# Only ASCII: an accented letter has two spellings in Unicode, which would be two subjects.
SUBJECT_LIMITS = f"a text of 1 to {MAX_SUBJECT_LENGTH} printable ASCII characters, or null"
SUBJECT_REQUEST = (
    f"Your reference to the {TABLE.case}, to find and erase the records later: {SUBJECT_LIMITS}. "
    "Send a pseudonym that only you can resolve, never a name"
)


Subject = Annotated[
    str | None,
    Field(strict=True, pattern=rf"^[ -~]{{1,{MAX_SUBJECT_LENGTH}}}$", description=SUBJECT_REQUEST),
]


# Strict: no string, boolean or null is accepted as a number. Forbid: a misspelt name is an error.
PredictionRequest = create_model(  # type: ignore[call-overload] # mypy does not understand **
    "PredictionRequest",
    __config__=ConfigDict(extra="forbid", protected_namespaces=(), json_schema_extra={"examples": [_EXAMPLE]}),
    __doc__=f"The features of one {TABLE.case}, and a reference to it.",
    **{feature.name: _describe_field(feature) for feature in TABLE.features},
    subject=(Subject, None),
)


MAX_BATCH = 1000


BatchRequest = create_model(  # type: ignore[call-overload] # mypy does not understand **
    "BatchRequest",
    __config__=ConfigDict(extra="forbid", json_schema_extra={"examples": [{TABLE.cases: [_EXAMPLE]}]}),
    __doc__=f"The {TABLE.cases} to predict for together.",
    **{
        TABLE.cases: (
            list[PredictionRequest],  # type: ignore[valid-type]
            Field(min_length=1, max_length=MAX_BATCH, description=f"The features of 1 to {MAX_BATCH} {TABLE.cases}"),
        )
    },
)


PREDICTION = f"{TARGET.label}; /model has its range in training"
SUBJECT = "The subject of the request"
INTERVAL = f"The range with the true {TARGET.name} for most {TABLE.cases}"
WARNINGS = (
    f"Why the {TABLE.case} is unlike those of the training: a feature is outside its range, features contradict each "
    'other, or all of them together are unusual (field "features")'
)


class FieldMessage(BaseModel):
    """A message about one field."""

    field: str
    message: str


class IntervalResponse(BaseModel):
    """A prediction interval: it contains the true value in most cases. It is not the uncertainty of a mean."""

    lower: float = Field(description="Its lower end, in units of the prediction")
    upper: float = Field(description="Its upper end")
    coverage: float | None = Field(
        description=(
            f"The interval contains the true {TARGET.name} for this share of {TABLE.cases} like those of the training; "
            f"null for a {TABLE.case} with warnings: the interval is wider then, and promises no coverage"
        )
    )


class PredictionResponse(BaseModel):
    """A prediction with a durable record."""

    model_config = ConfigDict(
        protected_namespaces=(),
        json_schema_extra={"examples": [EXAMPLE_ANSWER]},
    )

    prediction: float = Field(description=PREDICTION)
    interval: IntervalResponse = Field(description=INTERVAL)
    model_version: str = Field(description="The version of the model that made it")
    timestamp: datetime = Field(description="When the prediction was made, UTC")
    request_id: UUID = Field(description="The id of the record")
    subject: str | None = Field(description=SUBJECT)
    warnings: list[FieldMessage] = Field(description=WARNINGS)


class KnownOutcome(BaseModel):
    """The outcome of a prediction, by the report that counts."""

    value: float = Field(description=f"{TARGET.label}: the true value")
    observed_at: datetime = Field(description="When it was observed, UTC")
    reported_at: datetime = Field(description="When it was reported, UTC")


class StoredPredictionResponse(PredictionResponse):
    """A record: the features, the prediction, and the outcome."""

    model_config = ConfigDict(
        protected_namespaces=(),
        json_schema_extra={"examples": [{"features": EXAMPLE_REQUEST, **EXAMPLE_ANSWER, "outcome": _KNOWN_OUTCOME}]},
    )

    features: dict[str, float] = Field(description="The features of the prediction")
    # Records older than the intervals have none.
    interval: IntervalResponse | None = Field(description=INTERVAL)  # type: ignore[assignment]
    outcome: KnownOutcome | None = Field(description="What really happened; null until it is reported")


class BatchPrediction(BaseModel):
    """One prediction of a batch."""

    prediction: float = Field(description=PREDICTION)
    interval: IntervalResponse = Field(description=INTERVAL)
    model_version: str = Field(description="The version of the model that made it")
    request_id: UUID = Field(description="The id of the record of this prediction")
    subject: str | None = Field(description=SUBJECT)
    warnings: list[FieldMessage] = Field(description=WARNINGS)


_BATCHED = ("prediction", "interval", "model_version", "request_id", "subject", "warnings")


class BatchResponse(BaseModel):
    """The predictions, in the order of the request, with durable records."""

    model_config = ConfigDict(
        protected_namespaces=(),
        json_schema_extra={
            "examples": [
                {
                    "predictions": [{name: EXAMPLE_ANSWER[name] for name in _BATCHED}],
                    "model_version": EXAMPLE_ANSWER["model_version"],
                    "timestamp": EXAMPLE_ANSWER["timestamp"],
                    "batch_id": "0d9d5c56-20c5-4f8a-9a55-2f5f5e7f1c3b",
                }
            ]
        },
    )

    predictions: list[BatchPrediction]
    model_version: str | None = Field(
        description="The version of the model; null if two made them: each prediction names its own"
    )
    timestamp: datetime = Field(description="When the predictions were made, UTC")
    batch_id: UUID = Field(description="The id of this request; all of its records contain it")


class DependencyHealth(BaseModel):
    """The state of a dependency, and its response time."""

    status: str = Field(description='"ok" or "unavailable"')
    response_time_ms: float
    reason: str | None = Field(description="The kind of error, if any")


class DatabaseHealth(DependencyHealth):
    """The state of the database, with its circuit breaker."""

    note: str | None = Field(description="What the operator should look at, if anything")
    circuit: str = Field(description='"closed", "open" (the database is skipped for some seconds) or "half-open"')


class HealthResponse(BaseModel):
    """The state of the service and its dependencies."""

    model_config = ConfigDict(protected_namespaces=())

    status: str = Field(
        description='"ok", "degraded" while database or queue is down, or "unavailable": no predictions'
    )
    model_loaded: bool
    scaler_loaded: bool
    model_version: str | None
    model_error: str | None = Field(description="The reason why no model is loaded, if none is")
    database: DatabaseHealth
    queue: DependencyHealth
    version: str = Field(description="The version of this service")


class LiveResponse(BaseModel):
    """The state of the process."""

    status: str = Field(default="ok", examples=["ok"])


class ProblemResponse(BaseModel):
    """A problem by RFC 9457."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "type": INVALID_INPUT.type,
                    "title": "The input was refused",
                    "status": 422,
                    "detail": f"{EXAMPLE_REFUSAL['field']} {EXAMPLE_REFUSAL['message']}",
                    "request_id": EXAMPLE_ANSWER["request_id"],
                    "errors": [EXAMPLE_REFUSAL],
                }
            ]
        }
    )

    type: str
    title: str
    status: int
    detail: str
    request_id: UUID
    errors: list[FieldMessage] | None = Field(None, description="All refused fields, with their limits")
