"""The replay function: each message ends in the table, once, or in the dead-letter queue with a reason."""

import contextlib
import dataclasses
import json
import random
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest

from lambda_app.log.message import decode_message, encode_messages
from lambda_app.log.record import PredictionRecord
from lambda_app.settings import Settings
from lambda_app.telemetry import LambdaHandler
from local.poller import poll_once
from local.postgres import Postgres
from local.records import make_record
from tests.conftest import connect_database
from tests.events import Context
from tests.functional.helpers import DEAD_DATABASE, Query, Queues, Wire, read_row

if TYPE_CHECKING:
    from types_boto3_sqs import SQSClient

# It compresses badly.
random_text = "".join(random.Random(1).choices("abcdefghijklmnopqrstuvwxyz0123456789", k=20_000))


def make_event(*bodies: str) -> dict[str, Any]:
    return {"Records": [{"messageId": f"message-{n}", "body": body} for n, body in enumerate(bodies)]}


def encode(*records: PredictionRecord) -> str:
    [body] = encode_messages(records)
    return body


def encode_changed(**features: float) -> str:
    return encode(make_record(features={**make_record().features, **features}))


def find_failures(replay: LambdaHandler, event: dict[str, Any]) -> list[str]:
    """The ids of the messages that must come again."""
    return [failure["itemIdentifier"] for failure in replay(event, Context())["batchItemFailures"]]


def count_stored(query: Query, *records: PredictionRecord) -> int:
    ids = [record.request_id for record in records]
    [[count]] = query("SELECT count(*) FROM predictions WHERE request_id = ANY(:ids)", ids=ids)
    return int(count)


def test_record_is_stored_as_it_was_and_once_however_often_it_comes(replay: LambdaHandler, query: Query) -> None:
    warnings = [{"field": "bmi", "message": 'is "outside", \\ {NULL}'}]
    record = make_record(caller="NULL", warnings=warnings, batch_id=uuid4(), batch_index=3)
    body = encode(record)
    assert find_failures(replay, make_event(body, body)) == []
    assert find_failures(replay, make_event(body)) == []
    row = read_row(query, record.request_id)
    given = {"caller": "NULL", "warnings": warnings, "batch_id": str(record.batch_id), "batch_index": 3}
    assert row == row | given | {"prediction": 151.0, "sex": 2}


def test_messages_that_were_stored_leave_the_queue(
    replay: LambdaHandler, queues: Queues, sqs: "SQSClient", query: Query, capsys: pytest.CaptureFixture[str]
) -> None:
    records = [make_record() for _ in range(25)]
    for record in records:
        sqs.send_message(QueueUrl=queues.url, MessageBody=encode(record))
    while poll_once(sqs, queues.url, replay).received:
        pass
    assert queues.count() == 0
    assert count_stored(query, *records) == 25
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert sum(sum(line.get("RecordsReplayed", [])) for line in lines) == 25


REFUSED = "the database refuses the record: DatabaseError"


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ("{", "the message cannot be read: JSONDecodeError"),
        ("[1]", "the message is no object with a version"),
        ('{"records": []}', "the message is no object with a version"),
        ('{"version": 4, "records": []}', "the message is of a version that this code does not know"),
        ("[" * 100_000, "the message cannot be read: RecursionError"),
        (encode(make_record()).replace("+00:00", ""), "records[0].created_at must be a time such as 2026"),
        (encode(make_record()).replace('"bmi"', '"bni"'), "records[0].features must be an object with age, sex, bmi"),
        # Python's JSON has it, and PostgreSQL would store it.
        (encode(make_record()).replace("151.0", "NaN"), "records[0].prediction must be a finite number"),
        (encode(make_record()).replace('"bmi":32.1', '"bmi":1e999'), "records[0].features.bmi must be a finite number"),
        (encode(make_record(interval_lower=900.0)), f"{REFUSED} 23514"),
        (encode_changed(sex=7.0), f"{REFUSED} 23514"),
        *((encode_changed(sex=sex), f"{REFUSED} 22") for sex in (1.5, 1.0000001, 1e5, 1e300)),
        (encode(make_record(batch_id=uuid4(), batch_index=-1)), f"{REFUSED} 23514"),
        (encode(make_record(batch_id=uuid4(), batch_index=2**31)), f"{REFUSED} 22"),
        # An index takes a third of a page.
        (encode(make_record(model_version=random_text)), f"{REFUSED} 54000"),
        (encode(make_record(model_version="zero\x00")), f"{REFUSED} 22021"),
    ],
)
def test_message_that_can_never_be_stored_is_dead_lettered_with_its_reason(
    body: str, reason: str, wire: Wire, capsys: pytest.CaptureFixture[str], queues: Queues
) -> None:
    replay = wire("replay", **queues.environment)
    assert find_failures(replay, make_event(body, encode(make_record()))) == []
    # It can be redriven once the reason is gone.
    assert queues.drain_dead_letters() == [body]
    output = capsys.readouterr().out
    [line] = [line for line in map(json.loads, output.splitlines()) if line.get("message") == "message dead-lettered"]
    assert (line["message_id"], line["level"]) == ("message-0", "ERROR")
    assert line["reason"].startswith(reason)
    assert '"MessagesDeadLettered":[1.0]' in output
    assert "4.8598" not in output


def test_redriven_message_is_stored_once_its_reason_is_gone(
    wire: Wire, own_postgres: tuple[Postgres, Settings], queues: Queues
) -> None:
    _, settings = own_postgres
    replay = wire("replay", DATABASE_PORT=str(settings.database_port), **queues.environment)
    record = make_record(latency_ms=-1.0)
    assert find_failures(replay, make_event(encode(record))) == []
    with contextlib.closing(connect_database(settings)) as owner:
        owner.run("ALTER TABLE predictions DROP CONSTRAINT predictions_latency_ms_check")
        assert find_failures(replay, make_event(*queues.drain_dead_letters())) == []
        assert owner.run("SELECT request_id FROM predictions") == [[record.request_id]]
    assert queues.drain_dead_letters() == []


def test_good_records_of_a_batch_are_stored_beside_a_bad_one(
    replay: LambdaHandler, queues: Queues, query: Query
) -> None:
    records = [make_record() for _ in range(4)]
    records[2] = make_record(latency_ms=-1.0)
    assert find_failures(replay, make_event(encode(*records))) == []
    assert count_stored(query, *records) == 3
    [dead] = queues.drain_dead_letters()
    assert [record.request_id for record in decode_message(dead)] == [records[2].request_id]


@pytest.mark.parametrize(
    "text",
    [
        '"prediction":1' + "0" * 400,
        '"prediction":1' + "0" * 5000,
        '"prediction":"\\ud800"',
        '"prediction":true',
        '"prediction":151.0,"prediction":152.0',
        '"prediction":151.0,"other":1',
    ],
)
def test_good_records_are_stored_beside_one_that_cannot_be_read(
    text: str, replay: LambdaHandler, queues: Queues, query: Query
) -> None:
    records = [make_record(), make_record(prediction=99.0), make_record()]
    body = encode(*records).replace('"prediction":99.0', text)
    assert find_failures(replay, make_event(body)) == []
    assert count_stored(query, *records) == 2
    # As it came: written anew it would not be the same.
    assert queues.drain_dead_letters() == [body]


@pytest.mark.parametrize(
    "changed", [{"prediction": 152.0}, {"caller": "bo"}, {"warnings": [{"field": "", "message": ""}]}]
)
def test_another_record_of_a_stored_id_is_not_dropped(
    changed: dict[str, Any], replay: LambdaHandler, queues: Queues, query: Query
) -> None:
    first, second = make_record(caller="ada", warnings=[{"field": "bmi", "message": "ü"}]), make_record()
    assert find_failures(replay, make_event(encode(first, second))) == []
    other, new = dataclasses.replace(first, **changed), make_record()
    assert find_failures(replay, make_event(encode(second, other, new), encode(other))) == []
    assert queues.drain_dead_letters() == [encode(other)] * 2
    assert count_stored(query, first, second, new) == 3
    row = read_row(query, first.request_id)
    assert (row["prediction"], row["caller"]) == (151.0, "ada")


def test_two_records_for_one_place_in_a_batch_are_not_dropped(
    replay: LambdaHandler, queues: Queues, query: Query
) -> None:
    first = make_record(batch_id=uuid4(), batch_index=0)
    second = dataclasses.replace(first, request_id=uuid4())
    same_id = dataclasses.replace(first, prediction=1.0)
    assert find_failures(replay, make_event(encode(first, second, same_id, first))) == []
    assert count_stored(query, first, second) == 1
    assert sorted(queues.drain_dead_letters()) == sorted([encode(second), encode(same_id)])


def test_dead_letter_is_no_longer_than_the_message(replay: LambdaHandler, queues: Queues) -> None:
    # With escapes it has six characters for each of these, and SQS would refuse it for ever.
    bad, body = make_record(latency_ms=-1.0, caller="東" * 60_000), encode(make_record())
    body = body.replace("}]}", "}," + json.dumps(json.loads(encode(bad))["records"][0], ensure_ascii=False) + "]}")
    assert find_failures(replay, make_event(body)) == []
    assert queues.drain_dead_letters() == [body]


def test_dead_database_leaves_every_message_in_the_queue(
    wire: Wire, queues: Queues, capsys: pytest.CaptureFixture[str]
) -> None:
    replay = wire("replay", **DEAD_DATABASE, **queues.environment)
    event = make_event(*(encode(make_record()) for _ in range(3)))
    assert find_failures(replay, event) == ["message-0", "message-1", "message-2"]
    reasons = [line.get("reason") for line in map(json.loads, capsys.readouterr().out.splitlines())]
    # Only the first one waited for it.
    assert [reason for reason in reasons if reason] == [
        "ConnectionRefusedError",
        *["circuit open after ConnectionRefusedError"] * 2,
    ]
    assert queues.drain_dead_letters() == []


def test_message_stays_when_the_dead_letter_queue_fails(wire: Wire, queues: Queues, query: Query) -> None:
    replay = wire("replay", **{**queues.environment, "DEAD_LETTER_QUEUE_URL": f"{queues.url}-gone"})
    good = make_record()
    assert find_failures(replay, make_event("{", encode(good))) == ["message-0"]
    assert count_stored(query, good) == 1
