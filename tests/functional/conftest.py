"""Queues of a test's own, and the replay function before them."""

from typing import TYPE_CHECKING

import pytest

from lambda_app.telemetry import LambdaHandler
from tests.functional.helpers import Queues, Wire
from tests.queues import QueuePair

if TYPE_CHECKING:
    from types_boto3_sqs import SQSClient


@pytest.fixture
def queues(sqs: "SQSClient", own_queues: QueuePair) -> Queues:
    """`wire(**queues.environment)` points a function at them."""
    return Queues(sqs, own_queues)


@pytest.fixture
def replay(wire: Wire, queues: Queues) -> LambdaHandler:
    return wire("replay", **queues.environment)
