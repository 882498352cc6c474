"""Queues, records and a bucket of a test's own, and the functions before them."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest

from lambda_app.maintain import erased_rows, erasure, messages
from lambda_app.settings import Settings
from lambda_app.telemetry import LambdaHandler
from tests.bundles import Registry
from tests.events import Context
from tests.functional.candidates import CANDIDATE, Start, shift
from tests.functional.damaging import Ask
from tests.functional.erasing import WHY, Erase, Hold
from tests.functional.exports import Exports
from tests.functional.helpers import Queues, Wire
from tests.functional.maintaining import Stage, create_stage
from tests.functional.watching import Watched, create_watched
from tests.queues import QueuePair

if TYPE_CHECKING:
    from types_boto3_s3 import S3Client
    from types_boto3_sqs import SQSClient


@pytest.fixture
def queues(sqs: "SQSClient", own_queues: QueuePair) -> Queues:
    """`wire(**queues.environment)` points a function at them."""
    return Queues(sqs, own_queues)


@pytest.fixture
def replay(wire: Wire, queues: Queues) -> LambdaHandler:
    return wire("replay", **queues.environment)


@pytest.fixture
def stage(admin_settings: Settings, client: "S3Client", bucket: str, wire: Wire) -> Iterator[Stage]:
    """A database and a bucket of the test's own for maintain."""
    stage = create_stage(admin_settings, client, bucket, wire)
    yield stage
    stage.close()


@pytest.fixture
def watched(admin_settings: Settings, registry: Registry, wire: Wire) -> Iterator[Watched]:
    """A database and a bucket of the test's own for monitor."""
    watched = create_watched(admin_settings, registry, wire)
    yield watched
    watched.close()


@pytest.fixture
def ask(stage: Stage, queues: Queues, monkeypatch: pytest.MonkeyPatch) -> Ask:
    """Ask the stage's maintain, which waits for nobody, for a task."""
    monkeypatch.setattr(messages, "POLL_SECONDS", 0)
    monkeypatch.setattr(messages, "WAIT_SECONDS", 0.0)
    function = stage.wire(**queues.environment)

    def run(task: str, **event: Any) -> dict[str, Any]:
        return dict(function({"task": task, **WHY, **event}, Context()))

    return run


@pytest.fixture
def subject() -> str:
    return f"subject-{uuid4()}"


@pytest.fixture
def exports(client: "S3Client", bucket: str) -> Exports:
    return Exports(client, bucket)


@pytest.fixture
def maintain(wire: Wire, queues: Queues, exports: Exports, monkeypatch: pytest.MonkeyPatch) -> LambdaHandler:
    """The function, which waits for nobody."""
    monkeypatch.setattr(messages, "POLL_SECONDS", 0)
    monkeypatch.setattr(messages, "WAIT_SECONDS", 0.0)
    for module in (erasure, erased_rows):
        monkeypatch.setattr(module, "PAUSE_SECONDS", 0.01)
    return wire("maintain", RECORDS_BUCKET=exports.bucket, **queues.environment)


@pytest.fixture
def erase(maintain: LambdaHandler) -> Erase:
    def run(**what: Any) -> dict[str, Any]:
        answer: dict[str, Any] = maintain({"task": "erase", **WHY, **what}, Context())
        return answer

    return run


@pytest.fixture
def hold(maintain: LambdaHandler) -> Iterator[Hold]:
    """Place a hold, which ends with the test."""
    placed = []

    def add(**what: Any) -> int:
        placed.append(maintain({"task": "hold_add", **WHY, **what}, Context())["hold"])
        return int(placed[-1])

    yield add
    for number in placed:
        maintain({"task": "hold_remove", "hold": number, **WHY}, Context())


@pytest.fixture
def trying(registry: Registry) -> Registry:
    """The promoted version, and another one that answers otherwise."""
    registry.add_version(CANDIDATE, scaler=shift)
    return registry


@pytest.fixture
def start(wire: Wire, trying: Registry) -> Start:
    def run(**changed: str) -> LambdaHandler:
        return wire(MODEL_BUCKET=trying.bucket, MODEL_REFRESH_SECONDS="1", **changed)

    return run
