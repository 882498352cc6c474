"""Queues of a test's own, and what lies in a queue."""

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING
from uuid import uuid4

from local.aws_services import MAX_RECEIVES, VISIBILITY_SECONDS

if TYPE_CHECKING:
    from types_boto3_sqs import SQSClient
    from types_boto3_sqs.type_defs import MessageTypeDef


@dataclass(frozen=True)
class QueuePair:
    """A queue and where its messages go that were received too often."""

    url: str
    dead_letter_url: str

    @property
    def environment(self) -> dict[str, str]:
        """The variables that point a function at them."""
        return {"QUEUE_URL": self.url, "DEAD_LETTER_QUEUE_URL": self.dead_letter_url}


def create_queue_pair(
    sqs: "SQSClient", visibility_seconds: int = VISIBILITY_SECONDS, max_receives: int = MAX_RECEIVES
) -> QueuePair:
    """Two queues under a random name, tied as the local stack's are."""
    name = f"test-{uuid4()}"
    dead_letter_url = sqs.create_queue(QueueName=f"{name}-dead")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=dead_letter_url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    redrive = {"deadLetterTargetArn": arn, "maxReceiveCount": max_receives}
    attributes = {"VisibilityTimeout": str(visibility_seconds), "RedrivePolicy": json.dumps(redrive)}
    url = sqs.create_queue(QueueName=name, Attributes=attributes)["QueueUrl"]  # type: ignore[arg-type]
    return QueuePair(url, dead_letter_url)


def count_messages(sqs: "SQSClient", url: str) -> int:
    """All of them, also those that somebody has received and not deleted yet."""
    answer = sqs.get_queue_attributes(
        QueueUrl=url,
        AttributeNames=[
            "ApproximateNumberOfMessages",
            "ApproximateNumberOfMessagesNotVisible",
            "ApproximateNumberOfMessagesDelayed",
        ],
    )
    return sum(int(value) for value in answer["Attributes"].values())


def drain_queue(sqs: "SQSClient", url: str) -> "list[MessageTypeDef]":
    """Receive and delete whatever can be received now."""
    drained: list[MessageTypeDef] = []
    while messages := sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages", []):
        for message in messages:
            sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
        drained += messages
    return drained
