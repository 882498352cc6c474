"""The service of the demo: predicts and records as on Lambda, at times of the story in place of now."""

import http.client
import json
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Any
from uuid import uuid4

import uvicorn

from lambda_app.aws.client import AwsClient
from lambda_app.aws.signature import Identity
from lambda_app.handler import build_app, build_replay
from lambda_app.log.message import encode_messages
from lambda_app.log.record import OutcomeRecord, PredictionRecord
from lambda_app.model.bucket import ModelBucket
from lambda_app.model.bundle import fetch_pointer, fetch_served
from lambda_app.model.predictor import load_model
from lambda_app.settings import Settings
from lambda_app.telemetry import Telemetry
from local.errors import StackError
from local.poller import Context, build_event
from local.ports import LOOPBACK
from local.run import read_settings
from local.stack import Stack

CALLER = "the demo"
START_SECONDS = 30


class DemoService:
    """Predicts with the current model. The function replay stores the records, as if they had waited in the queue."""

    def __init__(self, stack: Stack) -> None:
        settings = read_settings(stack, "replay")
        self._replay = build_replay(settings, Telemetry(settings, emit_emf=False))
        self._queue_url = stack.aws.queue_url
        bucket = ModelBucket(AwsClient(_read_identity(settings), "s3", f"{stack.aws.endpoint_url}/{stack.aws.bucket}"))
        found = fetch_pointer(bucket, known_etag=None)
        if found is None:
            raise StackError("no model is current")
        runtime = settings.model_runtime
        self._model = load_model(fetch_served(bucket, found[0], runtime), runtime)

    def predict(self, cases: Sequence[Mapping[str, float]], at: datetime) -> list[PredictionRecord]:
        """Predict for cases at a time, and record the answers."""
        records = [
            PredictionRecord(
                request_id=uuid4(),
                created_at=at,
                features=case,
                prediction=prediction.value,
                interval_lower=prediction.interval.lower,
                interval_upper=prediction.interval.upper,
                interval_coverage=prediction.interval.coverage,
                model_version=self._model.version,
                latency_ms=0.0,
                caller=CALLER,
                warnings=[{"field": warning.field, "message": warning.message} for warning in prediction.warnings],
            )
            for case, prediction in zip(cases, self._model.predict(cases), strict=True)
        ]
        self._store(records)
        return records

    def report(self, outcomes: Sequence[OutcomeRecord]) -> None:
        """Record outcomes."""
        if outcomes:
            self._store(outcomes)

    def _store(self, records: Sequence[PredictionRecord] | Sequence[OutcomeRecord]) -> None:
        messages = [
            {"MessageId": str(uuid4()), "ReceiptHandle": "", "Body": body, "MD5OfBody": "", "Attributes": {}}
            for body in encode_messages(records)
        ]
        answer = self._replay(build_event(messages, self._queue_url), Context())  # type: ignore[arg-type]
        if answer["batchItemFailures"]:
            raise StackError("the database did not take the records of the demo")


@contextmanager
def serving(stack: Stack) -> Iterator[None]:
    """Serve the API at the port of the stack, with nothing in the output."""
    settings = read_settings(stack, "api")
    app = build_app(settings, Telemetry(settings, emit_emf=False))
    config = uvicorn.Config(app, LOOPBACK, stack.http_port, lifespan="off", log_config=None)
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    deadline = time.monotonic() + START_SECONDS
    while not server.started:
        if time.monotonic() > deadline or not thread.is_alive():
            raise StackError("the API of the demo did not start")
        time.sleep(0.02)
    try:
        yield
    finally:
        server.should_exit = True
        thread.join(START_SECONDS)


def ask(stack: Stack, case: Mapping[str, float]) -> tuple[int, Any]:
    """Ask the served API for a prediction; return the status and the answer."""
    connection = http.client.HTTPConnection(LOOPBACK, stack.http_port, timeout=30)
    try:
        connection.request("POST", "/predict", json.dumps(dict(case)), {"content-type": "application/json"})
        answer = connection.getresponse()
        return answer.status, json.loads(answer.read())
    finally:
        connection.close()


def _read_identity(settings: Settings) -> Identity:
    return Identity(
        settings.aws_region,
        settings.aws_access_key_id,
        settings.aws_secret_access_key,
        settings.aws_session_token,
    )
