"""Erasure from messages: they lose the erased records alone."""

import json
import time
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from lambda_app.http.schemas import EXAMPLE_REQUEST
from lambda_app.log.message import encode_messages
from lambda_app.maintain import messages, queued
from local.records import make_record
from tests.functional.erasing import Erase, read_erasure
from tests.functional.helpers import DEAD_DATABASE, Query, Queues, Wire, post
from tests.functional.test_replay import encode

if TYPE_CHECKING:
    from types_boto3_sqs import SQSClient


def test_messages_lose_the_erased_records_alone(
    wire: Wire, erase: Erase, queues: Queues, sqs: "SQSClient", subject: str, query: Query
) -> None:
    api = wire(**DEAD_DATABASE, **queues.environment)
    assert post(api, "/predict", {**EXAMPLE_REQUEST, "subject": subject})["statusCode"] == 200
    mine, others = [make_record(subject=subject) for _ in range(3)], [make_record(subject="ü"), make_record()]
    mixed = encode(mine[0], others[0], mine[1], others[1])
    # The third record is invalid; it must stay as it is.
    broken = encode(mine[2], others[0], make_record(prediction=99.0)).replace(
        '"prediction":99.0', '"prediction":1,"prediction":2'
    )
    unreadable = ["{", f'{{"subject": "{subject}"}}']
    sqs.send_message(QueueUrl=queues.url, MessageBody=mixed)
    for body in (mixed, broken, encode(others[0]), *unreadable):
        sqs.send_message(QueueUrl=queues.dead_letter_url, MessageBody=body)
    answer = erase(subject=subject)
    assert answer["erased"]["messages"] == 1 + 2 + 2 + 1
    assert answer["unreadable_messages"] == 2
    assert "waits_for" not in answer
    assert queues.drain() == [encode(*others)]
    rest = broken.replace(json.dumps(json.loads(encode(mine[2]))["records"][0], separators=(",", ":")) + ",", "")
    assert sorted(queues.drain_dead_letters()) == sorted([encode(*others), rest, encode(others[0]), *unreadable])


def test_a_message_that_somebody_works_on_keeps_the_erasure_open(
    erase: Erase, queues: Queues, sqs: "SQSClient", subject: str, query: Query
) -> None:
    sqs.send_message(QueueUrl=queues.url, MessageBody=encode(make_record(subject=subject)))
    [message] = sqs.receive_message(QueueUrl=queues.url)["Messages"]
    answer = erase(subject=subject)
    assert (answer["waits_for"], answer["erased"]["messages"]) == ("messages that somebody works on", 0)
    assert read_erasure(query, answer["erasure"])["subject"] == subject
    sqs.change_message_visibility(QueueUrl=queues.url, ReceiptHandle=message["ReceiptHandle"], VisibilityTimeout=0)
    again = erase(erasure=answer["erasure"])
    assert ("waits_for" in again, again["erased"]["messages"]) == (False, 1)
    assert queues.drain() == []


def test_messages_of_the_format_before_are_read(erase: Erase, queues: Queues, sqs: "SQSClient") -> None:
    record, other = make_record(), make_record()
    [body] = encode_messages([record, other])
    old = body.replace('"version":2', '"version":1').replace('"subject":null,', "")
    sqs.send_message(QueueUrl=queues.dead_letter_url, MessageBody=old)
    assert erase(request_id=str(record.request_id))["erased"]["messages"] == 1
    [left] = queues.drain_dead_letters()
    assert [one["request_id"] for one in json.loads(left)["records"]] == [str(other.request_id)]


def test_record_of_a_clock_that_is_ahead_goes_if_it_was_sent_before(
    erase: Erase, queues: Queues, sqs: "SQSClient", subject: str, query: Query
) -> None:
    ahead = [make_record(subject=subject, created_at=datetime.now(UTC) + timedelta(hours=1)) for _ in range(2)]
    sqs.send_message(QueueUrl=queues.dead_letter_url, MessageBody=encode(ahead[0]))
    [received] = sqs.receive_message(QueueUrl=queues.dead_letter_url)["Messages"]
    answer = erase(subject=subject)
    assert answer["waits_for"] == "messages that somebody works on"
    # This one was sent later, so it is the answer to a later request.
    sqs.send_message(QueueUrl=queues.dead_letter_url, MessageBody=encode(ahead[1]))
    handle = {"QueueUrl": queues.dead_letter_url, "ReceiptHandle": received["ReceiptHandle"]}
    sqs.change_message_visibility(**handle, VisibilityTimeout=0)
    again = erase(erasure=answer["erasure"])
    assert ("waits_for" in again, again["erased"]["messages"]) == (False, 1)
    assert queues.drain_dead_letters() == [encode(ahead[1])]


@pytest.mark.parametrize(("field", "value"), [("created_at", "nonsense"), ("created_at", None), ("request_id", 7)])
def test_message_with_a_broken_record_is_counted_once(
    field: str, value: Any, erase: Erase, queues: Queues, sqs: "SQSClient", subject: str
) -> None:
    document = json.loads(encode(make_record(subject=subject), make_record(subject=subject)))
    document["records"][0][field] = value
    sqs.send_message(QueueUrl=queues.dead_letter_url, MessageBody=json.dumps(document))
    answer = erase(subject=subject)
    assert (answer["unreadable_messages"], answer["erased"]["messages"]) == (1, 1)
    [left] = queues.drain_dead_letters()
    assert json.loads(left)["records"] == document["records"][:1]


def test_sweep_that_takes_too_long_does_not_claim_to_be_whole(
    erase: Erase, queues: Queues, sqs: "SQSClient", subject: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first messages can be received again before the last one comes."""
    for name in (*["bo"] * 30, subject):
        sqs.send_message(QueueUrl=queues.dead_letter_url, MessageBody=encode(make_record(subject=name)))
    split = queued._split

    def split_slowly(body: str) -> Any:
        time.sleep(0.05)
        return split(body)

    with monkeypatch.context() as context:
        context.setattr(messages, "VISIBILITY_SECONDS", 1)
        context.setattr(queued, "_split", split_slowly)
        answer = erase(subject=subject)
    assert answer["waits_for"] == "more messages than one call can search"
    again = erase(erasure=answer["erasure"])
    assert ("waits_for" in again, again["erased"]["messages"]) == (False, 1)
    assert len(queues.drain_dead_letters()) == 30


def test_sweep_of_more_messages_than_sqs_gives_out_is_not_whole(
    erase: Erase, queues: Queues, sqs: "SQSClient", subject: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in range(3):
        sqs.send_message(QueueUrl=queues.dead_letter_url, MessageBody=encode(make_record()))
    with monkeypatch.context() as context:
        context.setattr(messages, "MOST_RECEIVED", 3)
        answer = erase(subject=subject)
    assert answer["waits_for"] == "more messages than one call can search"
    assert "waits_for" not in erase(erasure=answer["erasure"])
