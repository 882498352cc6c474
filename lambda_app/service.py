"""The use case: predict, record, answer."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID

from lambda_app.errors import ModelUnavailableError
from lambda_app.log.database import DATABASE_ERRORS, Database, describe_error
from lambda_app.log.record import PredictionRecord
from lambda_app.log.store import ping
from lambda_app.log.writer import RecordWriter
from lambda_app.model.current import CurrentModel
from lambda_app.model.predictor import Prediction


@dataclass(frozen=True)
class Answer:
    """A prediction whose record is durable."""

    record: PredictionRecord
    prediction: Prediction


@dataclass(frozen=True)
class Health:
    """What the service found when it looked at itself. An error is None where there is none."""

    model_version: str | None
    model_error: str | None
    database_error: str | None
    database_response_ms: float

    @property
    def ok(self) -> bool:
        return self.model_error is None and self.database_error is None


class PredictionService:
    """Answers with a prediction only once its record is durable."""

    def __init__(
        self,
        model: CurrentModel,
        database: Database,
        writer: RecordWriter,
        on_recorded: Callable[[str], None],
    ) -> None:
        self._model = model
        self._database = database
        self._writer = writer
        self._on_recorded = on_recorded

    def predict(self, features: Mapping[str, float], request_id: UUID, arrived_at: float) -> Answer:
        """Predict for one patient and record it. `arrived_at` is the request's arrival by `time.perf_counter`.

        Raises ModelUnavailableError, PredictionError or RecordError.
        """
        predictor = self._model.get()
        prediction = predictor.predict(features)
        record = PredictionRecord(
            request_id=request_id,
            created_at=datetime.now(UTC),
            features=features,
            prediction=prediction.value,
            interval_lower=prediction.interval.lower,
            interval_upper=prediction.interval.upper,
            interval_coverage=prediction.interval.coverage,
            model_version=predictor.version,
            latency_ms=(time.perf_counter() - arrived_at) * 1000,
        )
        self._writer.write(record)
        self._on_recorded(predictor.version)
        return Answer(record, prediction)

    def check_health(self) -> Health:
        """Look for the model, loading it if there is none, and ask the database for a sign of life."""
        model_version = model_error = database_error = None
        try:
            model_version = self._model.get().version
        except ModelUnavailableError as error:
            model_error = str(error)
        started = time.perf_counter()
        try:
            self._database.run_transaction(ping)
        except DATABASE_ERRORS as error:
            database_error = describe_error(error)
        return Health(model_version, model_error, database_error, (time.perf_counter() - started) * 1000)
