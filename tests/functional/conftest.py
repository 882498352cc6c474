"""Queues of a test's own, with the client that looks into them."""

from typing import TYPE_CHECKING

import pytest

from tests.functional.helpers import Queues
from tests.queues import QueuePair

if TYPE_CHECKING:
    from types_boto3_sqs import SQSClient


@pytest.fixture
def queues(sqs: "SQSClient", own_queues: QueuePair) -> Queues:
    """`wire(**queues.environment)` points a function at them."""
    return Queues(sqs, own_queues)
