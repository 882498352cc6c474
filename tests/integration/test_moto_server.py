"""The server of S3 and SQS under many clients at once loses nothing, and a condition holds for one of them alone."""

import contextlib
import http.client
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import boto3
import pytest

from local.aws_services import REGION
from tests.queues import count_messages
from tests.terraform.server import serve_aws

if TYPE_CHECKING:
    from types_boto3_sqs import SQSClient

SENDERS, RECEIVERS = 4, 3
MESSAGES_OF_A_SENDER = 125
WRITERS = 8
ROUNDS = 150
CONTENT = b"12"
# Nobody checks the signature, which is missing.
AUTHORIZATION = f"AWS4-HMAC-SHA256 Credential=local/20260101/{REGION}/s3/aws4_request"

Connect = Callable[[str], Any]


@pytest.fixture(scope="module")
def connect(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Connect]:
    """A client of a server of these tests' own, for each thread another one."""
    with serve_aws("tests.standins.restless_aws", tmp_path_factory.mktemp("aws") / "aws.log") as url:
        # boto3's default session is not made for threads.
        make_session: Callable[[], Any] = partial(boto3.Session, "local", "local", region_name=REGION)
        yield lambda service: make_session().client(service, endpoint_url=url)


def test_each_message_is_received_once_and_gone_when_it_was_deleted(connect: Connect) -> None:
    sqs = connect("sqs")
    url = create_queue(sqs)
    sending_is_over = threading.Event()

    def send() -> list[str]:
        own = connect("sqs")
        return [
            own.send_message(QueueUrl=url, MessageBody=str(number))["MessageId"]
            for number in range(MESSAGES_OF_A_SENDER)
        ]

    def receive() -> list[str]:
        own = connect("sqs")
        ids: list[str] = []
        while True:
            is_last = sending_is_over.is_set()
            messages = own.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages", [])
            if is_last and not messages:
                return ids
            for message in messages:
                own.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
                ids.append(message["MessageId"])

    with ThreadPoolExecutor(SENDERS + RECEIVERS) as pool:
        senders = [pool.submit(send) for _ in range(SENDERS)]
        receivers = [pool.submit(receive) for _ in range(RECEIVERS)]
        try:
            sent = [one for sender in senders for one in sender.result()]
        finally:
            sending_is_over.set()
        received = [one for receiver in receivers for one in receiver.result()]
    lost, twice = set(sent) - set(received), len(received) - len(set(received))
    assert (len(lost), twice, count_messages(sqs, url)) == (0, 0, 0)


def test_who_waits_for_messages_keeps_nobody_waiting(connect: Connect) -> None:
    sqs = connect("sqs")
    url = create_queue(sqs)
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(connect("sqs").receive_message, QueueUrl=url, WaitTimeSeconds=20)
        # While it waits, a receipt of the other queue and an object come and go, and then its own message.
        other = create_queue(sqs)
        sqs.send_message(QueueUrl=other, MessageBody="another's")
        [message] = sqs.receive_message(QueueUrl=other)["Messages"]
        sqs.delete_message(QueueUrl=other, ReceiptHandle=message["ReceiptHandle"])
        create_bucket(connect("s3"), "meanwhile")
        assert not waiting.done()
        sqs.send_message(QueueUrl=url, MessageBody="its own")
        assert [message["Body"] for message in waiting.result()["Messages"]] == ["its own"]


@pytest.mark.parametrize("condition", ["If-None-Match", "If-Match"])
def test_of_writers_with_the_same_condition_one_wins(connect: Connect, condition: str) -> None:
    s3, bucket = connect("s3"), condition.lower()
    create_bucket(s3, bucket)
    address = urlsplit(s3.meta.endpoint_url).netloc
    barrier = threading.Barrier(WRITERS)

    def write(key: str, value: str) -> int:
        connection = http.client.HTTPConnection(address)
        with contextlib.closing(connection):
            connection.putrequest("PUT", f"/{bucket}/{key}")
            connection.putheader(condition, value)
            connection.putheader("Authorization", AUTHORIZATION)
            connection.putheader("Content-Length", str(len(CONTENT)))
            connection.endheaders(CONTENT[:-1])
            # The server goes on when the last byte is there, and so with all of them at once.
            barrier.wait()
            connection.send(CONTENT[-1:])
            return connection.getresponse().status

    with ThreadPoolExecutor(WRITERS) as pool:
        for number in range(ROUNDS):
            key, value = f"pointer-{number}", "*"
            if condition == "If-Match":
                value = s3.put_object(Bucket=bucket, Key=key, Body=b"first")["ETag"]
            statuses = list(pool.map(write, [key] * WRITERS, [value] * WRITERS))
            assert sorted(statuses) == [200] + [412] * (WRITERS - 1), f"round {number}"


def create_queue(sqs: "SQSClient") -> str:
    """One whose messages come back only when somebody has lost or revived them."""
    name = f"queue-{len(sqs.list_queues().get('QueueUrls', []))}"
    return sqs.create_queue(QueueName=name, Attributes={"VisibilityTimeout": "43200"})["QueueUrl"]


def create_bucket(s3: Any, name: str) -> None:
    s3.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": REGION})
