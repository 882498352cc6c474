"""The use case: predict, record, answer."""

import hashlib
import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid5

from lambda_app.errors import LookupFailedError, ModelUnavailableError, RecordNotFoundError
from lambda_app.log.database import DATABASE_ERRORS, Database, describe_error
from lambda_app.log.queue import QUEUE_ERRORS, RecordQueue, describe_queue_error
from lambda_app.log.record import IdempotencyKey, OutcomeRecord, PredictionRecord, require_possible
from lambda_app.log.store import find_prediction, has_stray_rows
from lambda_app.log.writer import RecordWriter, WriteResult
from lambda_app.model.current import CurrentModel
from lambda_app.model.predictor import Prediction, Predictor


@dataclass(frozen=True)
class Caller:
    """The owner of records and Idempotency-Keys; `session` tells the sessions of a role apart, for the audit.

    `name` is None where no gateway asked for one.
    """

    name: str | None = None
    session: str | None = None


@dataclass(frozen=True)
class Case:
    """The features of a case, and the caller's reference to its person or thing, if any."""

    features: Mapping[str, float]
    subject: str | None = None


@dataclass(frozen=True)
class Outcome:
    """What really happened to the case of a prediction; `value` is the true value of the target."""

    request_id: UUID
    value: float
    observed_at: datetime


@dataclass(frozen=True)
class RequestContext:
    """A request: its id, its arrival by `time.perf_counter`, its caller, and the Idempotency-Key, if any."""

    request_id: UUID
    arrived_at: float
    caller: Caller
    idempotency_key: str | None


@dataclass(frozen=True)
class Report:
    """Durable outcomes: when they were reported, and their place."""

    reported_at: datetime
    destination: str


STRAY_ROWS_NOTE = "predictions_default has rows of a month without a partition"


@dataclass(frozen=True)
class Dependency:
    """The result of a check of a dependency; `error` is None if it succeeded. `note` is for the operator."""

    error: str | None
    response_ms: float
    note: str | None = None


@dataclass(frozen=True)
class Health:
    """The result of a health check; `circuit` is the state of the database's breaker."""

    model_version: str | None
    model_error: str | None
    database: Dependency
    circuit: str
    queue: Dependency

    @property
    def status(self) -> str:
        """The state: "ok", "degraded" without database or queue, "unavailable" if the service cannot predict."""
        missing = [dependency for dependency in (self.database, self.queue) if dependency.error is not None]
        if self.model_error is not None or len(missing) == 2:
            return "unavailable"
        return "degraded" if missing else "ok"


class PredictionService:
    """Returns predictions, and takes outcomes, only after their records are durable."""

    def __init__(
        self,
        model: CurrentModel,
        database: Database,
        queue: RecordQueue,
        writer: RecordWriter,
        on_recorded: Callable[[str, str, Sequence[float]], None],
        on_outcomes_recorded: Callable[[str, int], None],
    ) -> None:
        self._model = model
        self._database = database
        self._queue = queue
        self._writer = writer
        self._on_recorded = on_recorded
        self._on_outcomes_recorded = on_outcomes_recorded

    def predict(self, case: Case, context: RequestContext) -> WriteResult:
        """Predict for one case; the record has the id of the request.

        Raises ModelUnavailableError, PredictionError, RecordError or IdempotencyConflictError.
        """
        return self._answer([case], context, is_batch=False)

    def predict_batch(self, cases: Sequence[Case], context: RequestContext) -> WriteResult:
        """Predict for several cases in one inference; return only if all of their records are durable.

        Raises as `predict` does.
        """
        return self._answer(cases, context, is_batch=True)

    def report_outcomes(self, outcomes: Sequence[Outcome], context: RequestContext) -> Report:
        """Record what happened after predictions, which may be anybody's or not be recorded yet.

        Raises OutcomesRefusedError or OutcomeError.
        """
        reported_at = datetime.now(UTC)
        records = [
            OutcomeRecord(
                request_id=outcome.request_id,
                value=outcome.value,
                observed_at=outcome.observed_at,
                reported_at=reported_at,
                reporter=context.caller.name,
                reporter_session=context.caller.session,
            )
            for outcome in outcomes
        ]
        require_possible(records)
        destination = self._writer.write_outcomes(records, time.perf_counter() - context.arrived_at)
        self._on_outcomes_recorded(destination, len(records))
        return Report(reported_at, destination)

    def get_model(self) -> Predictor:
        """Return the current model, for uses without a record; raises ModelUnavailableError."""
        return self._model.get()

    def find(self, request_id: UUID, caller: Caller) -> tuple[PredictionRecord, OutcomeRecord | None]:
        """Return the caller's record with this id, and its outcome; raises RecordNotFoundError or LookupFailedError."""
        try:
            found = self._database.run_statement(
                lambda connection: find_prediction(connection, request_id, caller.name)
            )
        except DATABASE_ERRORS as error:
            raise LookupFailedError(f"the database did not answer: {describe_error(error)}") from error
        if found is None:
            raise RecordNotFoundError
        return found

    def check_health(self) -> Health:
        """Check the model, the database and the queue; load the model if none is loaded."""
        model_version = model_error = None
        try:
            model_version = self._model.get().version
        except ModelUnavailableError as error:
            model_error = str(error)
        database = _ask(self._look_at_database, DATABASE_ERRORS, describe_error)
        queue = _ask(self._queue.check, QUEUE_ERRORS, describe_queue_error)
        return Health(model_version, model_error, database, self._database.breaker.state, queue)

    def _look_at_database(self) -> str | None:
        return STRAY_ROWS_NOTE if self._database.run_statement(has_stray_rows) else None

    def _answer(self, cases: Sequence[Case], context: RequestContext, *, is_batch: bool) -> WriteResult:
        predictor = self._model.get()
        predictions = predictor.predict([case.features for case in cases])
        created_at = datetime.now(UTC)
        spent_seconds = time.perf_counter() - context.arrived_at

        def make_record(index: int, case: Case, prediction: Prediction) -> PredictionRecord:
            return PredictionRecord(
                # Derived from the request id, so that the same request makes the same rows.
                request_id=uuid5(context.request_id, str(index)) if is_batch else context.request_id,
                created_at=created_at,
                features=case.features,
                prediction=prediction.value,
                interval_lower=prediction.interval.lower,
                interval_upper=prediction.interval.upper,
                interval_coverage=prediction.interval.coverage,
                model_version=predictor.version,
                latency_ms=spent_seconds * 1000,
                caller=context.caller.name,
                caller_session=context.caller.session,
                subject=case.subject,
                batch_id=context.request_id if is_batch else None,
                batch_index=index if is_batch else None,
                warnings=[{"field": warning.field, "message": warning.message} for warning in prediction.warnings],
            )

        records = [make_record(index, *pair) for index, pair in enumerate(zip(cases, predictions, strict=True))]
        written = self._writer.write(records, _make_key(cases, context, is_batch=is_batch), spent_seconds)
        if not written.replayed:
            self._on_recorded(predictor.version, written.destination, [record.prediction for record in records])
        return written


def _make_key(cases: Sequence[Case], context: RequestContext, *, is_batch: bool) -> IdempotencyKey | None:
    if context.idempotency_key is None:
        return None
    # A digest of the values, not of the bytes: a client may format the same request differently.
    # Adding zero turns -0.0 into 0.0, which is equal to it.
    measured = [sorted((name, value + 0.0) for name, value in case.features.items()) for case in cases]
    asked: list[Any] = [is_batch, measured]
    subjects = [case.subject for case in cases]
    if any(subjects):
        asked.append(subjects)
    fingerprint = hashlib.sha256(json.dumps(asked).encode()).digest()
    return IdempotencyKey(context.caller.name, context.idempotency_key, fingerprint, context.request_id)


def _ask(
    question: Callable[[], str | None],
    errors: tuple[type[Exception], ...],
    describe: Callable[[BaseException], str],
) -> Dependency:
    started = time.perf_counter()
    error = note = None
    try:
        note = question()
    except errors as failure:
        error = describe(failure)
    return Dependency(error, (time.perf_counter() - started) * 1000, note)
