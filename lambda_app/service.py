"""The use case: predict, record, answer."""

import hashlib
import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Protocol
from uuid import UUID, uuid5

from lambda_app.errors import LookupFailedError, ModelUnavailableError, RecordNotFoundError
from lambda_app.log.database import DATABASE_ERRORS, Database, describe_error
from lambda_app.log.queue import QUEUE_ERRORS, RecordQueue, describe_queue_error
from lambda_app.log.record import IdempotencyKey, OutcomeRecord, PredictionRecord, Shadow, require_possible
from lambda_app.log.store import find_prediction, has_stray_rows
from lambda_app.log.writer import RecordWriter, WriteResult
from lambda_app.model.current import CurrentModel
from lambda_app.model.predictor import Prediction, Predictor

if TYPE_CHECKING:
    from lambda_app.model.trial import Trial, Tried


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
    """The outcome of a prediction; `value` is the true value of the target."""

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


class OnTried(Protocol):
    """Takes what a candidate had to do with durable records, as `Telemetry.candidate_tried` does."""

    def __call__(self, version: str, *, answers: int, shadows: int, disagreements: int, case_ms: float) -> None: ...


class PredictionService:
    """Returns predictions, and takes outcomes, only after their records are durable."""

    def __init__(
        self,
        model: CurrentModel,
        database: Database,
        queue: RecordQueue,
        writer: RecordWriter,
        *,
        on_recorded: Callable[[str, str, Sequence[float]], None],
        on_outcomes_recorded: Callable[[str, int], None],
        on_tried: OnTried,
    ) -> None:
        self._model = model
        self._database = database
        self._queue = queue
        self._writer = writer
        self._on_recorded = on_recorded
        self._on_outcomes_recorded = on_outcomes_recorded
        self._on_tried = on_tried

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

    def get_trial(self) -> "Trial | None":
        """Return the candidate that is tried beside the current model, as of the last `get_model`."""
        return self._model.trial

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
        trial = self._model.trial
        features = [case.features for case in cases]
        tried = trial.predict(predictor, features, [_name_key(case, context) for case in cases]) if trial else None
        predictions = tried.predictions if tried else predictor.predict(features)
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
                model_version=tried.version if tried and index in tried.answered else predictor.version,
                latency_ms=spent_seconds * 1000,
                caller=context.caller.name,
                caller_session=context.caller.session,
                subject=case.subject,
                batch_id=context.request_id if is_batch else None,
                batch_index=index if is_batch else None,
                warnings=[{"field": warning.field, "message": warning.message} for warning in prediction.warnings],
                shadow=_make_shadow(tried, index) if tried else None,
            )

        records = [make_record(index, *pair) for index, pair in enumerate(zip(cases, predictions, strict=True))]
        written = self._writer.write(records, _make_key(cases, context, is_batch=is_batch), spent_seconds)
        if not written.replayed:
            if tried:
                self._report_trial(tried, records, written.destination)
            else:
                self._on_recorded(predictor.version, written.destination, [record.prediction for record in records])
        return written

    def _report_trial(self, tried: "Tried", records: Sequence[PredictionRecord], destination: str) -> None:
        for version in dict.fromkeys(record.model_version for record in records):
            values = [record.prediction for record in records if record.model_version == version]
            self._on_recorded(version, destination, values)
        if not (tried.answered or tried.shadows):
            return
        shadowed = [(predicted.value, records[place]) for place, predicted in tried.shadows.items()]
        self._on_tried(
            tried.version,
            answers=len(tried.answered),
            shadows=len(shadowed),
            disagreements=sum(
                record.interval_lower is not None
                and record.interval_upper is not None
                and not record.interval_lower <= value <= record.interval_upper
                for value, record in shadowed
            ),
            case_ms=tried.case_ms,
        )


def _name_key(case: Case, context: RequestContext) -> str:
    """Return that by which a case meets the candidate or not: a subject always meets the same model."""
    return case.subject or context.idempotency_key or f"{context.caller.name or ''} {context.request_id}"


def _make_shadow(tried: "Tried", index: int) -> Shadow | None:
    predicted = tried.shadows.get(index)
    if predicted is None:
        return None
    interval = predicted.interval
    return Shadow(tried.version, predicted.value, interval.lower, interval.upper, interval.coverage, tried.case_ms)


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
