"""The replay function: everything of the queue ends in the table, once, or in the dead-letter queue with a reason."""

import contextlib
import json
from collections.abc import Callable
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest

from lambda_app.log.message import decode_message, encode_messages
from lambda_app.log.record import PredictionRecord
from lambda_app.settings import Settings
from lambda_app.telemetry import LambdaHandler
from local.poller import poll_once
from local.postgres import Postgres
from tests.conftest import connect_database
from tests.events import Context
from tests.queues import QueuePair, count_messages, drain_queue
from tests.records import make_record

if TYPE_CHECKING:
    from types_boto3_sqs import SQSClient

Query = Callable[..., list[Any]]


@pytest.fixture
def replay(wire: Callable[..., LambdaHandler], own_queues: QueuePair) -> LambdaHandler:
    return wire("replay", **own_queues.environment)


def make_event(*bodies: str) -> dict[str, Any]:
    return {"Records": [{"messageId": f"message-{n}", "body": body} for n, body in enumerate(bodies)]}


def encode(*records: PredictionRecord) -> str:
    [body] = encode_messages(records)
    return body


def find_failures(replay: LambdaHandler, event: dict[str, Any]) -> list[str]:
    return [failure["itemIdentifier"] for failure in replay(event, Context())["batchItemFailures"]]


def count_rows(query: Query, *records: PredictionRecord) -> int:
    ids = [record.request_id for record in records]
    [[count]] = query("SELECT count(*) FROM predictions WHERE request_id = ANY(:ids)", ids=ids)
    return int(count)


def test_record_is_stored_as_it_was_and_once_however_often_it_comes(replay: LambdaHandler, query: Query) -> None:
    warnings = [{"field": "bmi", "message": 'is "outside", \\ {NULL}'}]
    record = make_record(caller="NULL", warnings=warnings, batch_id=uuid4(), batch_index=3)
    body = encode(record)
    assert find_failures(replay, make_event(body, body)) == []
    assert find_failures(replay, make_event(body)) == []
    [[row]] = query("SELECT row_to_json(p) FROM predictions p WHERE request_id = :id", id=record.request_id)
    assert {name: row[name] for name in ("caller", "warnings", "batch_id", "batch_index", "prediction", "sex")} == {
        "caller": "NULL",
        "warnings": warnings,
        "batch_id": str(record.batch_id),
        "batch_index": 3,
        "prediction": 151.0,
        "sex": 2,
    }


def test_messages_that_were_stored_leave_the_queue(
    replay: LambdaHandler,
    own_queues: QueuePair,
    sqs: "SQSClient",
    query: Query,
    capsys: pytest.CaptureFixture[str],
) -> None:
    records = [make_record() for _ in range(25)]
    for record in records:
        sqs.send_message(QueueUrl=own_queues.url, MessageBody=encode(record))
    while poll_once(sqs, own_queues.url, replay).received:
        pass
    assert count_messages(sqs, own_queues.url) == 0
    assert count_rows(query, *records) == 25
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert sum(sum(line.get("RecordsReplayed", [])) for line in lines) == 25


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ("{", "the message cannot be read: JSONDecodeError"),
        ("[1]", "the message cannot be read: TypeError"),
        ('{"records": []}', "the message cannot be read: KeyError"),
        ('{"version": 2, "records": []}', "the message is of a version that this code does not know"),
        ("[" * 100_000, "the message cannot be read: RecursionError"),
        (encode(make_record()).replace("T", " ").replace("+00:00", ""), "the message cannot be read: ValueError"),
        (encode(make_record()).replace('"bmi"', '"bni"'), "the message cannot be read: KeyError"),
        # Python's JSON has it, and PostgreSQL would store it.
        (encode(make_record()).replace("151.0", "NaN"), "the message cannot be read: ValueError"),
        (encode(make_record()).replace('"bmi":', '"bmi":1e999,"bni":'), "the message cannot be read: ValueError"),
        (encode(make_record(interval_lower=900.0)), "the database refuses the record: DatabaseError 23514"),
        (
            encode(make_record(features={**make_record().features, "sex": 7.0})),
            "the database refuses the record: DatabaseError 23514",
        ),
        (encode(make_record(features={**make_record().features, "sex": 1.5})), "the database refuses the record: Da"),
        (encode(make_record(model_version="zero\x00")), "the database refuses the record: DatabaseError 22021"),
    ],
)
def test_what_can_never_be_stored_is_dead_lettered_with_its_reason(
    body: str,
    reason: str,
    wire: Callable[..., LambdaHandler],
    capsys: pytest.CaptureFixture[str],
    own_queues: QueuePair,
    sqs: "SQSClient",
) -> None:
    replay = wire("replay", **own_queues.environment)
    assert find_failures(replay, make_event(body, encode(make_record()))) == []
    [dead] = drain_queue(sqs, own_queues.dead_letter_url)
    # It can be redriven once the reason is gone.
    assert dead["Body"] == body
    output = capsys.readouterr().out
    [line] = [line for line in map(json.loads, output.splitlines()) if line.get("message") == "message dead-lettered"]
    assert (line["message_id"], line["level"]) == ("message-0", "ERROR")
    assert line["reason"].startswith(reason)
    assert '"MessagesDeadLettered":[1.0]' in output
    assert "4.8598" not in output


def test_redriven_message_is_stored_once_its_reason_is_gone(
    wire: Callable[..., LambdaHandler],
    own_postgres: tuple[Postgres, Settings],
    own_queues: QueuePair,
    sqs: "SQSClient",
) -> None:
    _, settings = own_postgres
    replay = wire("replay", DATABASE_PORT=str(settings.database_port), **own_queues.environment)
    record = make_record(latency_ms=-1.0)
    assert find_failures(replay, make_event(encode(record))) == []
    with contextlib.closing(connect_database(settings)) as owner:
        owner.run("ALTER TABLE predictions DROP CONSTRAINT predictions_latency_ms_check")
        [dead] = drain_queue(sqs, own_queues.dead_letter_url)
        assert find_failures(replay, make_event(dead["Body"])) == []
        assert owner.run("SELECT request_id FROM predictions") == [[record.request_id]]
    assert count_messages(sqs, own_queues.dead_letter_url) == 0


def test_good_records_of_a_batch_are_stored_beside_a_bad_one(
    replay: LambdaHandler, own_queues: QueuePair, sqs: "SQSClient", query: Query
) -> None:
    records = [make_record() for _ in range(4)]
    records[2] = make_record(latency_ms=-1.0)
    assert find_failures(replay, make_event(encode(*records))) == []
    assert count_rows(query, *records) == 3
    [dead] = drain_queue(sqs, own_queues.dead_letter_url)
    assert [record.request_id for record in decode_message(dead["Body"])] == [records[2].request_id]


def test_dead_database_leaves_every_message_in_the_queue(
    wire: Callable[..., LambdaHandler],
    own_postgres: tuple[Postgres, Settings],
    own_queues: QueuePair,
    sqs: "SQSClient",
    capsys: pytest.CaptureFixture[str],
) -> None:
    postgres, settings = own_postgres
    replay = wire("replay", DATABASE_PORT=str(settings.database_port), **own_queues.environment)
    postgres.kill()
    event = make_event(*(encode(make_record()) for _ in range(3)))
    assert find_failures(replay, event) == ["message-0", "message-1", "message-2"]
    reasons = [line.get("reason") for line in map(json.loads, capsys.readouterr().out.splitlines())]
    # Only the first one waited for it.
    assert [reason for reason in reasons if reason] == [
        "ConnectionRefusedError",
        *["circuit open after ConnectionRefusedError"] * 2,
    ]
    assert count_messages(sqs, own_queues.dead_letter_url) == 0


def test_message_stays_when_the_dead_letter_queue_fails(
    wire: Callable[..., LambdaHandler], own_queues: QueuePair, query: Query
) -> None:
    replay = wire("replay", **{**own_queues.environment, "DEAD_LETTER_QUEUE_URL": f"{own_queues.url}-gone"})
    good = make_record()
    assert find_failures(replay, make_event("{", encode(good))) == ["message-0"]
    assert count_rows(query, good) == 1
