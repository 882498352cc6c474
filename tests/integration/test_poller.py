"""The local stack's event source mapping, with small functions, on a real queue of moto's server."""

import logging
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from local.aws_client import connect_aws
from local.aws_services import AwsServices
from local.poller import CLIENT_CONFIG, Polled, poll_once, running_poller
from local.ports import find_free_ports
from tests.queues import QueuePair, count_messages, create_queue_pair

if TYPE_CHECKING:
    from types_boto3_sqs import SQSClient

Answer = Callable[[list[dict[str, Any]]], Any]


class Function:
    """Keeps what it was invoked with, and answers as the test says."""

    def __init__(self, answer: Answer = lambda _: {"batchItemFailures": []}) -> None:
        self.events: list[dict[str, Any]] = []
        self._answer = answer

    def __call__(self, event: dict[str, Any], _: Any) -> Any:
        self.events.append(event)
        return self._answer(event["Records"])

    @property
    def bodies(self) -> list[str]:
        return [record["body"] for event in self.events for record in event["Records"]]


def fail_on(body: str) -> Answer:
    return lambda records: {
        "batchItemFailures": [{"itemIdentifier": record["messageId"]} for record in records if record["body"] == body]
    }


def fail_first() -> Answer:
    invocations = iter([fail_always])
    return lambda records: next(invocations, fail_on("none"))(records)  # noqa: PLW0108 (the next for each call)


def fail_always(_: list[dict[str, Any]]) -> Any:
    raise ValueError("a record's age of 59")


def send(sqs: "SQSClient", queues: QueuePair, *bodies: str) -> None:
    for body in bodies:
        sqs.send_message(QueueUrl=queues.url, MessageBody=body)


def wait_until(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + 15
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_a_message_arrives_as_lambda_hands_it_over_and_is_deleted(sqs: "SQSClient", own_queues: QueuePair) -> None:
    sent = sqs.send_message(
        QueueUrl=own_queues.url,
        MessageBody='{"version": 1}',
        MessageAttributes={
            "kind": {"DataType": "String", "StringValue": "x"},
            "raw": {"DataType": "Binary", "BinaryValue": b"\x00\xff"},
        },
    )
    function = Function()
    assert poll_once(sqs, own_queues.url, function) == Polled(1, 0)
    [[record]] = [event["Records"] for event in function.events]
    assert record.pop("receiptHandle")
    attributes = record.pop("attributes")
    assert attributes["ApproximateReceiveCount"] == "1"
    assert abs(int(attributes["SentTimestamp"]) / 1000 - time.time()) < 60
    assert record == {
        "messageId": sent["MessageId"],
        "body": '{"version": 1}',
        "messageAttributes": {
            "kind": {"stringValue": "x", "dataType": "String", "stringListValues": [], "binaryListValues": []},
            "raw": {"binaryValue": "AP8=", "dataType": "Binary", "stringListValues": [], "binaryListValues": []},
        },
        "md5OfBody": sent["MD5OfMessageBody"],
        "eventSource": "aws:sqs",
        "eventSourceARN": f"arn:aws:sqs:eu-west-1:123456789012:{own_queues.url.rpartition('/')[2]}",
        "awsRegion": "eu-west-1",
    }
    assert count_messages(sqs, own_queues.url) == 0


def test_no_more_than_ten_messages_come_at_once_and_none_invokes_nothing(
    sqs: "SQSClient", own_queues: QueuePair
) -> None:
    bodies = [str(number) for number in range(11)]
    send(sqs, own_queues, *bodies)
    function = Function()
    polled = [poll_once(sqs, own_queues.url, function) for _ in range(3)]
    assert polled == [Polled(10, 0), Polled(1, 0), Polled(0, 0)]
    assert len(function.events) == 2
    assert sorted(function.bodies) == sorted(bodies)


def test_a_failed_message_comes_back_once_its_visibility_timeout_has_passed(sqs: "SQSClient") -> None:
    queues = create_queue_pair(sqs, visibility_seconds=2)
    send(sqs, queues, "good", "bad")
    assert poll_once(sqs, queues.url, Function(fail_on("bad"))) == Polled(2, 1)
    received = time.monotonic()
    assert count_messages(sqs, queues.url) == 1
    second = Function()
    while poll_once(sqs, queues.url, second) == Polled(0, 0):
        assert time.monotonic() - received < 10
    # Deleting and counting took some of the two seconds before the clock was read.
    assert time.monotonic() - received > 1.5
    [[record]] = [event["Records"] for event in second.events]
    assert record["body"] == "bad"
    assert record["attributes"]["ApproximateReceiveCount"] == "2"
    assert count_messages(sqs, queues.url) == 0


@pytest.mark.parametrize(
    "answer",
    [
        fail_always,
        lambda _: {"batchItemFailures": [{"itemIdentifier": "another's"}]},
        lambda _: {"batchItemFailures": [{"itemIdentifier": None}]},
        lambda _: {"batchItemFailures": [{"id": "misnamed"}]},
        lambda _: "nonsense",
    ],
)
def test_a_function_that_fails_or_answers_nonsense_has_nothing_deleted(
    answer: Answer, sqs: "SQSClient", own_queues: QueuePair, caplog: pytest.LogCaptureFixture
) -> None:
    send(sqs, own_queues, "one", "two")
    with caplog.at_level(logging.WARNING):
        assert poll_once(sqs, own_queues.url, Function(answer)) == Polled(2, 2)
    assert count_messages(sqs, own_queues.url) == 2
    assert "59" not in caplog.text


@pytest.mark.parametrize("answer", [None, {}, {"batchItemFailures": None}])
def test_an_empty_answer_is_success(answer: Any, sqs: "SQSClient", own_queues: QueuePair) -> None:
    send(sqs, own_queues, "one")
    assert poll_once(sqs, own_queues.url, Function(lambda _: answer)) == Polled(1, 0)
    assert count_messages(sqs, own_queues.url) == 0


def test_the_poller_goes_on_after_a_failure_and_leaves_no_thread(sqs: "SQSClient") -> None:
    queues = create_queue_pair(sqs, visibility_seconds=1)
    function = Function(fail_first())
    before = threading.active_count()

    def poll_until_interrupted() -> None:
        with running_poller(sqs, queues.url, function):
            send(sqs, queues, "one")
            wait_until(lambda: function.bodies == ["one", "one"])
            wait_until(lambda: count_messages(sqs, queues.url) == 0)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        poll_until_interrupted()
    assert threading.active_count() == before


def test_the_poller_waits_for_a_queue_that_is_away(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("local.poller.RETRY_SECONDS", 0.1)
    function = Function()
    with (
        AwsServices(tmp_path / "aws.log", find_free_ports(1)[0]) as aws,
        running_poller(connect_aws("sqs", aws.endpoint_url, CLIENT_CONFIG), aws.queue_url, function),
    ):
        aws.stop()
        wait_until(lambda: "The queue cannot be polled: EndpointConnectionError" in caplog.text)
        aws.start()
        connect_aws("sqs", aws.endpoint_url).send_message(QueueUrl=aws.queue_url, MessageBody="one")
        wait_until(lambda: function.bodies == ["one"])
