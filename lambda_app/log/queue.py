"""The SQS queue for records while the database fails."""

import json
import threading
from collections.abc import Callable, Iterable
from queue import Empty, SimpleQueue

from lambda_app.aws.client import AWS_ERRORS, AwsClient, AwsError

ATTEMPTS = 2
# For all messages together, with name resolution. The client's deadline covers neither.
SEND_SECONDS = 4.0

QUEUE_ERRORS = AWS_ERRORS


class RecordQueue:
    """Sends messages to one queue. `make_client` is called at the first use, which is rare."""

    def __init__(self, make_client: Callable[[], AwsClient], queue_url: str) -> None:
        self._make_client = make_client
        self._queue_url = queue_url
        self._client: AwsClient | None = None

    def send(self, bodies: Iterable[str]) -> None:
        """Send all messages; raises one of QUEUE_ERRORS, and SQS may then have some of them."""

        def send_all(client: AwsClient, gave_up: threading.Event) -> None:
            for body in bodies:
                for attempt in range(1, ATTEMPTS + 1):
                    if gave_up.is_set():
                        return
                    try:
                        self._call(client, "SendMessage", MessageBody=body)
                        break
                    except QUEUE_ERRORS:
                        if attempt == ATTEMPTS:
                            raise

        self._run_bounded(send_all)

    def check(self) -> None:
        """Check that SQS has the queue; raises one of QUEUE_ERRORS."""
        self._run_bounded(lambda client, _: self._call(client, "GetQueueAttributes", AttributeNames=["QueueArn"]))

    def _call(self, client: AwsClient, action: str, **parameters: object) -> None:
        headers = {"content-type": "application/x-amz-json-1.0", "x-amz-target": f"AmazonSQS.{action}"}
        client.send("POST", "/", headers, json.dumps({"QueueUrl": self._queue_url, **parameters}).encode())

    def _run_bounded(self, work: Callable[[AwsClient, threading.Event], object]) -> None:
        """Run `work` in a separate thread, and wait for it no longer than SEND_SECONDS."""
        client = self._client = self._client or self._make_client()
        outcome: SimpleQueue[Exception | None] = SimpleQueue()
        gave_up = threading.Event()

        def run() -> None:
            try:
                work(client, gave_up)
                outcome.put(None)
            except Exception as error:
                outcome.put(error)

        threading.Thread(target=run, daemon=True).start()
        try:
            failure = outcome.get(timeout=SEND_SECONDS)
        except Empty:
            gave_up.set()
            # The thread still uses its connection.
            self._client = None
            raise TimeoutError("SQS did not answer in time") from None
        if failure is not None:
            raise failure


def describe_queue_error(error: BaseException) -> str:
    """Name an error of SQS, without its text."""
    return error.code if isinstance(error, AwsError) else type(error).__name__
