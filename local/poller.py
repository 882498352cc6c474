"""Does the work of Lambda's event source mapping for the replay function: receive, invoke, delete on success."""

import argparse
import base64
import logging
import os
import signal
import sys
import threading
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from lambda_app.project import PREFIX
from lambda_app.telemetry import LambdaHandler
from local.aws_client import connect_aws
from local.aws_services import ACCOUNT, REGION, VISIBILITY_SECONDS
from local.function import ContainerFunction
from local.stack import ENDING_SIGNALS

if TYPE_CHECKING:
    from types_boto3_sqs import SQSClient
    from types_boto3_sqs.type_defs import MessageTypeDef

BATCH_SIZE = 10
WAIT_SECONDS = 1
# How long SQS is left alone after it has failed.
RETRY_SECONDS = 5.0
# As long as the messages are hidden: a function that takes longer would get them twice at once.
INVOKE_SECONDS = float(VISIBILITY_SECONDS)
# The end of the stack waits for the poll that is under way, so none may hang or be repeated.
CLIENT_CONFIG = Config(connect_timeout=1, read_timeout=WAIT_SECONDS + 4, retries={"total_max_attempts": 1})

LOGGER = logging.getLogger(__name__)


class Polled(NamedTuple):
    """How many messages came, and how many of them will come again."""

    received: int
    failed: int


@dataclass(frozen=True)
class Context:
    """The Lambda context."""

    aws_request_id: str = field(default_factory=lambda: str(uuid.uuid4()))
    function_name: str = f"{PREFIX}-replay"
    function_version: str = "$LATEST"
    memory_limit_in_mb: int = 1024
    invoked_function_arn: str = f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:{PREFIX}-replay"


@contextmanager
def running_poller(client: "SQSClient", queue_url: str, handler: LambdaHandler) -> Iterator[None]:
    """Poll in a thread of its own for as long as the context lasts."""
    ending = threading.Event()
    thread = threading.Thread(target=poll_until, args=(ending, client, queue_url, handler), name="poller")
    try:
        thread.start()
        yield
    finally:
        ending.set()
        thread.join()


def poll_until(ending: threading.Event, client: "SQSClient", queue_url: str, handler: LambdaHandler) -> None:
    """Poll again and again, also after SQS has failed."""
    while not ending.is_set():
        try:
            poll_once(client, queue_url, handler)
        except (BotoCoreError, ClientError) as error:
            LOGGER.warning("The queue cannot be polled: %s", type(error).__name__)
            ending.wait(RETRY_SECONDS)


def poll_once(client: "SQSClient", queue_url: str, handler: LambdaHandler) -> Polled:
    """Hand the next messages, if there are any, to the handler, and delete those that it has not failed on.

    The others stay hidden until the queue's visibility timeout has passed, and come again then.
    """
    answer = client.receive_message(
        QueueUrl=queue_url,
        MaxNumberOfMessages=BATCH_SIZE,
        WaitTimeSeconds=WAIT_SECONDS,
        MessageSystemAttributeNames=["All"],
        MessageAttributeNames=["All"],
    )
    messages = answer.get("Messages", [])
    if not messages:
        return Polled(0, 0)
    failed = find_failed(messages, invoke(handler, build_event(messages, queue_url)))
    for message in messages:
        if message["MessageId"] not in failed:
            client.delete_message(QueueUrl=queue_url, ReceiptHandle=message["ReceiptHandle"])
    return Polled(len(messages), len(failed))


def build_event(messages: "Sequence[MessageTypeDef]", queue_url: str) -> dict[str, Any]:
    """The event by which Lambda tells a function of SQS messages."""
    account, name = queue_url.split("/")[-2:]
    return {
        "Records": [
            {
                "messageId": message["MessageId"],
                "receiptHandle": message["ReceiptHandle"],
                "body": message["Body"],
                "attributes": message["Attributes"],
                "messageAttributes": {
                    key: build_attribute(attribute) for key, attribute in message.get("MessageAttributes", {}).items()
                },
                "md5OfBody": message["MD5OfBody"],
                "eventSource": "aws:sqs",
                "eventSourceARN": f"arn:aws:sqs:{REGION}:{account}:{name}",
                "awsRegion": REGION,
            }
            for message in messages
        ]
    }


def build_attribute(attribute: Mapping[str, Any]) -> dict[str, Any]:
    """A message attribute with the names, and the text for bytes, that Lambda gives it."""
    return {
        "stringListValues": [],
        "binaryListValues": [],
        **{
            name[0].lower() + name[1:]: base64.b64encode(value).decode() if isinstance(value, bytes) else value
            for name, value in attribute.items()
        },
    }


def invoke(handler: LambdaHandler, event: dict[str, Any]) -> list[object] | None:
    """The identifiers that the function answers with as failed; None where it has failed as a whole."""
    try:
        answer = handler(event, Context())
        return [failure["itemIdentifier"] for failure in (answer or {}).get("batchItemFailures") or []]
    except Exception as error:
        # Without its text, in which a library may quote a record.
        LOGGER.warning("The function failed: %s", type(error).__name__)
        return None


def find_failed(messages: "Sequence[MessageTypeDef]", identifiers: list[object] | None) -> set[object]:
    """The ids of the messages to be kept: as on Lambda, all of them where the answer names one that is none of them."""
    ids: set[object] = {message["MessageId"] for message in messages}
    if identifiers is None or not ids.issuperset(identifiers):
        return ids
    return set(identifiers)


def main() -> int:
    """Poll for a function in a container, from the queue that the environment names, until a signal ends it."""
    parser = argparse.ArgumentParser(prog="python -m local.poller", description=__doc__)
    parser.add_argument("--function", required=True, help="the host name of the function's container")
    options = parser.parse_args()
    logging.basicConfig(format="%(message)s")
    ending = threading.Event()
    for number in ENDING_SIGNALS:
        signal.signal(number, lambda *_: ending.set())
    function = ContainerFunction(options.function, INVOKE_SECONDS)
    print("Records in the queue go to the table.", flush=True)
    client = connect_aws("sqs", os.environ["AWS_ENDPOINT_URL"], CLIENT_CONFIG)
    poll_until(ending, client, os.environ["QUEUE_URL"], lambda event, _: function.invoke(event))
    return 0


if __name__ == "__main__":
    sys.exit(main())
