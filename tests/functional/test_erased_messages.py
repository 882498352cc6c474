"""Erasure from messages: they lose the erased records alone."""

import json
from typing import TYPE_CHECKING

from lambda_app.http.schemas import EXAMPLE_REQUEST
from lambda_app.log.message import encode_messages
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
