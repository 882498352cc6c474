"""The witness at SQS: it believes only SQS's answers, and recognises a message."""

import json
from uuid import uuid4

import pytest

from tests.faults.front import ANSWER, ERROR
from tests.faults.witness import Witness, WitnessReport

RECORDS = [uuid4(), uuid4()]
BODY = json.dumps({"version": 1, "records": [{"request_id": str(record)} for record in RECORDS]})


def write_request(action: str, **parameters: str) -> bytes:
    head = f"POST / HTTP/1.1\r\nHost: sqs\r\nX-Amz-Target: AmazonSQS.{action}\r\n\r\n"
    return head.encode() + json.dumps(parameters).encode()


def write_answer(**members: object) -> bytes:
    body = json.dumps(members).encode()
    return ANSWER % (b"200 OK", len(body), body)


SEND = write_request("SendMessage", MessageBody=BODY)
RECEIVE = write_request("ReceiveMessage")
DELETE = write_request("DeleteMessage", ReceiptHandle="receipt")
DELIVERY = write_answer(Messages=[{"MessageId": "m", "ReceiptHandle": "receipt", "Body": BODY}])
SENT = {"m": RECORDS}


@pytest.fixture
def witness() -> Witness:
    return Witness()


def note(witness: Witness, request: bytes, answer: bytes, began_at: int | None = None) -> None:
    witness.note_answer(witness.note_moment() if began_at is None else began_at, request, answer)


def test_what_sqs_accepted_is_known(witness: Witness) -> None:
    note(witness, SEND, write_answer(MessageId="m"))
    note(witness, RECEIVE, DELIVERY)
    note(witness, RECEIVE, write_answer())
    assert witness.report() == WitnessReport(SENT)
    note(witness, DELETE, write_answer())
    assert witness.report() == WitnessReport(SENT, frozenset({"m"}))


def test_refused_requests_and_messages_without_records_are_told_apart(witness: Witness) -> None:
    note(witness, SEND, ERROR)
    note(witness, RECEIVE, DELIVERY)
    note(witness, DELETE, ERROR)
    assert witness.report() == WitnessReport()
    note(witness, write_request("SendMessage", MessageBody="not JSON"), write_answer(MessageId="m"))
    assert witness.report() == WitnessReport({"m": []})


def test_what_it_does_not_know_is_not_passed_over(witness: Witness) -> None:
    note(witness, write_request("GetQueueAttributes"), write_answer())
    with pytest.raises(NotImplementedError, match="what PurgeQueue does"):
        note(witness, write_request("PurgeQueue"), write_answer())


def test_a_message_that_comes_after_its_deletion_is_revived(witness: Witness) -> None:
    before = witness.note_moment()
    note(witness, RECEIVE, DELIVERY)
    note(witness, DELETE, write_answer())
    # This one may have been on its way when the other was deleted.
    note(witness, RECEIVE, DELIVERY, before)
    assert witness.report().revived == frozenset()
    note(witness, RECEIVE, DELIVERY)
    assert witness.report().revived == {"m"}
