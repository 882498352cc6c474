"""The Lambda functions api, replay, migrate, maintain and monitor, wired once per execution environment.

Lambda gets the function by its name during the initialisation, and `__getattr__` wires it then. This phase has a full
CPU. Only the requested function is wired: migrate needs no model and may not read one.
"""

import contextlib
import os
from functools import partial
from typing import TYPE_CHECKING, Any
from urllib.parse import urljoin

from lambda_app.startup import import_fastapi, import_scramp, running_ahead, without_garbage_collection

with without_garbage_collection():
    import_scramp()
    from lambda_app.aws.client import AwsClient
    from lambda_app.aws.signature import Identity
    from lambda_app.errors import ModelUnavailableError, SettingsError
    from lambda_app.log.database import Database
    from lambda_app.log.migrations import apply_migrations
    from lambda_app.log.queue import RecordQueue
    from lambda_app.log.replay import RecordReplayer, ReplayError
    from lambda_app.log.roles import read_role_passwords, set_role_passwords
    from lambda_app.log.token import make_auth_token
    from lambda_app.log.writer import RecordWriter
    from lambda_app.model.bucket import ModelBucket
    from lambda_app.model.bundle import Fetched, Reference, fetch_changed
    from lambda_app.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Container

    from fastapi import FastAPI

    from lambda_app.log.connection import Connection
    from lambda_app.telemetry import LambdaHandler, Telemetry

# Building an index may take minutes, and a second migration waits for the first. Lambda's limit is 15 minutes.
MIGRATION_SECONDS = 600.0
# Within Lambda's limit too. A statement may read a month of rows.
MAINTENANCE_SECONDS = 840.0


def build_app(settings: Settings, telemetry: "Telemetry") -> "FastAPI":
    """Build the ASGI application and its dependencies, and try to load the model."""
    bucket = _build_bucket(settings)
    database = _build_database(settings)
    fetch = partial(fetch_changed, bucket, settings.model_runtime)
    # If this connection fails, the first request connects again and reports the failure.
    with running_ahead(fetch, database.connect) as (first_fetch, _):
        import_fastapi()
        from lambda_app.http.application import create_app  # noqa: PLC0415
        from lambda_app.model.current import CurrentModel  # noqa: PLC0415
        from lambda_app.model.predictor import load_model  # noqa: PLC0415
        from lambda_app.service import PredictionService  # noqa: PLC0415

        fetches = [first_fetch]

        def fetch_next(known_etag: str | None, kept: "Container[Reference]") -> Fetched | None:
            found: Fetched | None = fetches.pop().result() if fetches else fetch(known_etag, kept)
            return found

        model = CurrentModel(
            fetch_next,
            partial(load_model, runtime_name=settings.model_runtime),
            refresh_seconds=settings.model_refresh_seconds,
            candidate_max_ms=settings.candidate_max_ms,
            on_loaded=telemetry.model_loaded,
            on_failed=telemetry.model_load_failed,
            on_candidate_failed=telemetry.candidate_failed,
        )
        queue = _build_queue(settings, settings.queue_url)
        writer = RecordWriter(database, queue, telemetry.database_failed)
        service = PredictionService(
            model,
            database,
            queue,
            writer,
            on_recorded=telemetry.predictions_recorded,
            on_outcomes_recorded=telemetry.outcomes_recorded,
            on_tried=telemetry.candidate_tried,
        )
        app = create_app(service, telemetry, bucket, pages=settings.pages)
        # Telemetry has reported the failure; the next request tries again.
        with contextlib.suppress(ModelUnavailableError):
            model.get()
        return app


def build_replay(settings: Settings, telemetry: "Telemetry") -> "LambdaHandler":
    """Build the function that stores the records of SQS messages."""
    # Imported here, because the other functions do not need it.
    from aws_lambda_powertools.utilities.batch import (  # noqa: PLC0415
        BatchProcessor,
        EventType,
        process_partial_response,
    )

    dead_letters = _build_queue(settings, settings.dead_letter_queue_url)
    replayer = RecordReplayer(
        _build_database(settings), dead_letters, telemetry.records_replayed, telemetry.message_dead_lettered
    )
    processor = BatchProcessor(EventType.SQS, raise_on_entire_batch_failure=False)

    # Powertools passes the argument by this name, and does not report exceptions.
    def store(record: Any) -> None:
        try:
            replayer.replay(record.message_id, record.body)
        except Exception as error:
            reason = str(error) if isinstance(error, ReplayError) else type(error).__name__
            telemetry.replay_failed(record.message_id, reason)
            raise

    def replay(event: dict[str, Any], context: Any) -> dict[str, Any]:
        """Store the records of SQS messages; return the messages that SQS must deliver again."""
        answer = process_partial_response(event, record_handler=store, processor=processor, context=context)
        return dict(answer)

    return telemetry.wrap_handler(replay)


def _build_identity(settings: Settings) -> Identity:
    return Identity(
        settings.aws_region,
        settings.aws_access_key_id,
        settings.aws_secret_access_key,
        settings.aws_session_token,
    )


def _build_bucket(settings: Settings) -> ModelBucket:
    name, endpoint = settings.model_bucket, settings.aws_endpoint_url
    url = f"{endpoint}/{name}" if endpoint else f"https://{name}.s3.{settings.aws_region}.amazonaws.com"
    return ModelBucket(AwsClient(_build_identity(settings), "s3", url))


def _build_queue(settings: Settings, queue_url: str) -> RecordQueue:
    # The URL gives only the host. The body of each request names the queue.
    return RecordQueue(lambda: AwsClient(_build_identity(settings), "sqs", urljoin(queue_url, "/")), queue_url)


def _build_database(settings: Settings, **limits: Any) -> Database:
    identity = _build_identity(settings)
    host, port, user = settings.database_host, settings.database_port, settings.database_user
    return Database(settings, lambda: make_auth_token(identity, host, port, user), **limits)


def _build_api(settings: Settings, telemetry: "Telemetry") -> "LambdaHandler":
    # This must come first: it imports FastAPI in a faster way than the imports below would.
    app = build_app(settings, telemetry)

    from mangum import Mangum  # noqa: PLC0415
    from mangum.adapter import DEFAULT_TEXT_MIME_TYPES  # noqa: PLC0415

    from lambda_app.http.event import GatewayEvent  # noqa: PLC0415
    from lambda_app.http.problems import MEDIA_TYPE  # noqa: PLC0415

    # By default, Mangum runs ASGI's lifespan at every invocation, and encodes unknown media types in base64.
    text = [*DEFAULT_TEXT_MIME_TYPES, MEDIA_TYPE]
    adapter = Mangum(app, lifespan="off", custom_handlers=[GatewayEvent], text_mime_types=text)
    return telemetry.wrap_handler(adapter)


def _build_migrate(settings: Settings, telemetry: "Telemetry") -> "LambdaHandler":
    def migrate(event: dict[str, Any], context: Any) -> dict[str, list[str]]:
        """Update the schema and the roles; return the names of the applied migrations."""
        passwords = {}
        if settings.role_secret_arns:
            # Imported here, because the other functions do not need it.
            import boto3  # noqa: PLC0415

            client = boto3.Session().client("secretsmanager")
            passwords = read_role_passwords(client, settings.role_secret_arns)

        def work(connection: "Connection") -> list[str]:
            applied = apply_migrations(connection)
            set_role_passwords(connection, passwords)
            return applied

        limits = {"wait_seconds": MIGRATION_SECONDS, "deadline_seconds": MIGRATION_SECONDS}
        database = _build_database(settings, **limits)
        try:
            applied = database.run_transaction(work)
        finally:
            database.close()
        telemetry.migrated(applied)
        return {"applied": applied}

    return migrate


def build_maintain(settings: Settings, telemetry: "Telemetry") -> "LambdaHandler":
    """Build the function that looks after the records."""
    # Imported here, because only the image analyse has what they need.
    import boto3  # noqa: PLC0415

    from lambda_app.maintain.function import make_handler  # noqa: PLC0415
    from lambda_app.maintain.tools import MaintenanceTools  # noqa: PLC0415

    if not settings.records_bucket:
        raise SettingsError("RECORDS_BUCKET is not set")
    # A step that fails, for example because a lock is taken, must not keep the next ones away.
    limits = {"wait_seconds": MAINTENANCE_SECONDS, "deadline_seconds": MAINTENANCE_SECONDS, "skips_failing": False}
    database = _build_database(settings, **limits)
    session = boto3.Session()
    return make_handler(MaintenanceTools(settings, database, session.client("s3"), telemetry, session.client("sqs")))


def build_monitor(settings: Settings, telemetry: "Telemetry") -> "LambdaHandler":
    """Build the function that compares outcomes with predictions, and new cases with those of the training."""
    # Imported here, because only the image analyse has what they need.
    import boto3  # noqa: PLC0415

    from lambda_app.monitor.function import make_handler  # noqa: PLC0415
    from lambda_app.tasks import Tools  # noqa: PLC0415

    limits = {"wait_seconds": MAINTENANCE_SECONDS, "deadline_seconds": MAINTENANCE_SECONDS, "skips_failing": False}
    database = _build_database(settings, **limits)
    return make_handler(Tools(settings, database, boto3.Session().client("s3"), telemetry))


_BUILDERS = {
    "api": _build_api,
    "replay": build_replay,
    "migrate": _build_migrate,
    "maintain": build_maintain,
    "monitor": build_monitor,
}


def __getattr__(name: str) -> "LambdaHandler":
    build = _BUILDERS.get(name)
    if build is None:
        raise AttributeError(name)
    settings = Settings.from_env(os.environ)
    with without_garbage_collection():
        from lambda_app.telemetry import Telemetry  # noqa: PLC0415

        handler = build(settings, Telemetry(settings, emit_emf=True))
    globals()[name] = handler
    return handler
