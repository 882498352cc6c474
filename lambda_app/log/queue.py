"""The SQS queue that takes a record when the database does not."""

import time
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

if TYPE_CHECKING:
    from types_boto3_sqs import SQSClient

# One attempt of at most three waits (connect, TLS, answer): whether there is another is decided below, by the time.
CLIENT_CONFIG = Config(connect_timeout=1, read_timeout=1, retries={"mode": "standard", "total_max_attempts": 1})
# What repeats a send or follows it must begin within this time; all of it then takes four seconds at most.
SEND_SECONDS = 1.0

QUEUE_ERRORS = (BotoCoreError, ClientError, TimeoutError)


class RecordQueue:
    """Sends messages to one queue. `make_client` is called when the queue is first needed, which is seldom."""

    def __init__(self, make_client: Callable[[], "SQSClient"], queue_url: str) -> None:
        self._make_client = make_client
        self._queue_url = queue_url
        self._client: SQSClient | None = None

    def send(self, bodies: Iterable[str]) -> None:
        """Return once SQS has accepted every message; raises one of QUEUE_ERRORS, after which some may be there."""
        last_start = time.monotonic() + SEND_SECONDS
        for index, body in enumerate(bodies):
            if index and time.monotonic() > last_start:
                raise TimeoutError("SQS is too slow for all the messages")
            try:
                self._send_once(body)
            except QUEUE_ERRORS:
                if time.monotonic() > last_start:
                    raise
                self._send_once(body)

    def check(self) -> None:
        """Ask SQS for the queue; raises one of QUEUE_ERRORS."""
        self._require_client().get_queue_attributes(QueueUrl=self._queue_url, AttributeNames=["QueueArn"])

    def _send_once(self, body: str) -> None:
        self._require_client().send_message(QueueUrl=self._queue_url, MessageBody=body)

    def _require_client(self) -> "SQSClient":
        if self._client is None:
            self._client = self._make_client()
        return self._client


def describe_queue_error(error: BaseException) -> str:
    """Name an error of SQS without its text, in which botocore quotes what was sent."""
    return str(error.response["Error"]["Code"]) if isinstance(error, ClientError) else type(error).__name__
