"""The Lambda functions api, replay and migrate, wired once per execution environment.

Lambda looks the function up by name while it initialises, and `__getattr__` wires it then: in the phase that has a
full CPU, and only the function that was asked for: migrate needs no model and may not read one.
"""

import contextlib
import os
from typing import Any

import boto3
import pg8000.native
from botocore.config import Config
from fastapi import FastAPI
from mangum import Mangum
from mangum.adapter import DEFAULT_TEXT_MIME_TYPES

from lambda_app.app import create_app
from lambda_app.errors import ModelUnavailableError
from lambda_app.log.database import Database
from lambda_app.log.migrations import apply_migrations
from lambda_app.log.queue import CLIENT_CONFIG, RecordQueue
from lambda_app.log.replay import RecordReplayer, ReplayError
from lambda_app.log.roles import read_role_passwords, set_role_passwords
from lambda_app.log.token import make_auth_token
from lambda_app.log.writer import RecordWriter
from lambda_app.model.current import CurrentModel
from lambda_app.model.predictor import load_model
from lambda_app.problems import MEDIA_TYPE
from lambda_app.service import PredictionService
from lambda_app.settings import Settings
from lambda_app.telemetry import LambdaHandler, Telemetry

# Building an index may take minutes, and a second migration waits for the first; Lambda ends at fifteen.
MIGRATION_SECONDS = 600.0


def build_app(settings: Settings, telemetry: Telemetry) -> FastAPI:
    """The ASGI application with everything behind it, and a first try at loading the model."""
    session = boto3.Session()
    # A fetch that hangs must leave a request the time to be recorded; what failed is tried again by the next one.
    config = Config(connect_timeout=1, read_timeout=1, retries={"mode": "standard", "total_max_attempts": 1})
    client = session.client("s3", config=config)
    model = CurrentModel(
        lambda etag: load_model(client, settings.model_bucket, settings.model_runtime, etag),
        refresh_seconds=settings.model_refresh_seconds,
        on_loaded=telemetry.model_loaded,
        on_failed=telemetry.model_load_failed,
    )
    # A failure was told to telemetry; the next request tries again.
    with contextlib.suppress(ModelUnavailableError):
        model.get()
    database = _build_database(settings, session)
    queue = _build_queue(settings.queue_url, session)
    writer = RecordWriter(database, queue, telemetry.database_failed)
    service = PredictionService(model, database, queue, writer, telemetry.predictions_recorded)
    return create_app(service, telemetry)


def build_replay(settings: Settings, telemetry: Telemetry) -> LambdaHandler:
    """The function that stores the records of SQS messages."""
    # Only this function pays for it.
    from aws_lambda_powertools.utilities.batch import (  # noqa: PLC0415
        BatchProcessor,
        EventType,
        process_partial_response,
    )

    session = boto3.Session()
    dead_letters = _build_queue(settings.dead_letter_queue_url, session)
    replayer = RecordReplayer(
        _build_database(settings, session), dead_letters, telemetry.records_replayed, telemetry.message_dead_lettered
    )
    processor = BatchProcessor(EventType.SQS, raise_on_entire_batch_failure=False)

    # Powertools passes it by this name, and keeps to itself what was raised.
    def store(record: Any) -> None:
        try:
            replayer.replay(record.message_id, record.body)
        except Exception as error:
            reason = str(error) if isinstance(error, ReplayError) else type(error).__name__
            telemetry.replay_failed(record.message_id, reason)
            raise

    def replay(event: dict[str, Any], context: Any) -> dict[str, Any]:
        """Store the records of SQS messages; the answer names those that SQS must deliver again."""
        answer = process_partial_response(event, record_handler=store, processor=processor, context=context)
        return dict(answer)

    return telemetry.wrap_handler(replay)


def _build_queue(url: str, session: boto3.Session) -> RecordQueue:
    return RecordQueue(lambda: session.client("sqs", config=CLIENT_CONFIG), url)


def _build_database(settings: Settings, session: boto3.Session, **limits: float) -> Database:
    host, port, user = settings.database_host, settings.database_port, settings.database_user
    return Database(settings, lambda: make_auth_token(session, host, port, user), **limits)


def _build_api(settings: Settings, telemetry: Telemetry) -> LambdaHandler:
    app = build_app(settings, telemetry)
    # Mangum runs ASGI's lifespan at every invocation, and sends what it does not know as text in base64.
    adapter = Mangum(app, lifespan="off", text_mime_types=[*DEFAULT_TEXT_MIME_TYPES, MEDIA_TYPE])
    return telemetry.wrap_handler(adapter)


def _build_migrate(settings: Settings, telemetry: Telemetry) -> LambdaHandler:
    def migrate(event: dict[str, Any], context: Any) -> dict[str, list[str]]:
        """Bring schema and roles up to date; the answer names the migrations that were applied."""
        session = boto3.Session()
        passwords = {}
        if settings.role_secret_arns:
            passwords = read_role_passwords(session.client("secretsmanager"), settings.role_secret_arns)

        def work(connection: pg8000.native.Connection) -> list[str]:
            applied = apply_migrations(connection)
            set_role_passwords(connection, passwords)
            return applied

        limits = {"wait_seconds": MIGRATION_SECONDS, "deadline_seconds": MIGRATION_SECONDS}
        database = _build_database(settings, session, **limits)
        try:
            applied = database.run_transaction(work)
        finally:
            database.close()
        telemetry.migrated(applied)
        return {"applied": applied}

    return migrate


_BUILDERS = {"api": _build_api, "replay": build_replay, "migrate": _build_migrate}


def __getattr__(name: str) -> LambdaHandler:
    build = _BUILDERS.get(name)
    if build is None:
        raise AttributeError(name)
    settings = Settings.from_env(os.environ)
    handler = build(settings, Telemetry(settings, emit_emf=True))
    globals()[name] = handler
    return handler
