"""Queues, records and a bucket of a test's own, and the functions before them."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from lambda_app.settings import Settings
from lambda_app.telemetry import LambdaHandler
from tests.bundles import Registry
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
