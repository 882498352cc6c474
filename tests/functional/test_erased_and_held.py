"""Holds and erasures meet: a hold keeps what is there, and brings nothing back."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest

from lambda_app.log.database import Database
from lambda_app.log.record import PredictionRecord
from lambda_app.maintain.exported import ExportedFiles
from lambda_app.maintain.open_erasure import Progress
from lambda_app.telemetry import LambdaHandler
from local.records import make_record
from tests.events import Context
from tests.functional.erasing import DAY, LONG_AGO, WHY, Erase, Hold, count, make_counts
from tests.functional.exports import Exports
from tests.functional.helpers import Query, Queues
from tests.functional.outcomes import count_outcomes, insert_outcomes, make_outcome
from tests.functional.test_replay import encode, find_failures, make_event
from tests.records import insert

if TYPE_CHECKING:
    from types_boto3_sqs import SQSClient


@pytest.fixture
def replay_again(replay: LambdaHandler, query: Query) -> Callable[..., int]:
    """Replay records several times; returns how many the table has then."""

    def run(*records: PredictionRecord) -> int:
        for _ in range(3):
            assert find_failures(replay, make_event(encode(*records))) == []
        return count(query, *records)

    return run


def add_key(query: Query, request_id: Any) -> None:
    query(
        "INSERT INTO idempotency_keys (caller, idempotency_key, fingerprint, request_id) VALUES ('c', :key, 'x', :id)",
        key=str(uuid4()),
        id=request_id,
    )


def count_keys(query: Query, request_id: Any) -> int:
    [[found]] = query("SELECT count(*) FROM idempotency_keys WHERE request_id = :id", id=request_id)
    return int(found)


def test_hold_brings_no_erased_record_of_a_subject_back(
    erase: Erase, hold: Hold, replay_again: Callable[..., int], database: Database, query: Query, subject: str
) -> None:
    mine = [make_record(subject=subject, created_at=LONG_AGO) for _ in range(3)]
    insert(database, *mine)
    erase(subject=subject)
    # Neither does one that was refused before.
    late = make_record(subject=subject, created_at=LONG_AGO)
    assert replay_again(late) == 0
    hold(starts=DAY, ends=DAY)
    assert replay_again(*mine, late) == 0
    outcomes = [make_outcome(record, reported_at=LONG_AGO) for record in (*mine, late)]
    insert_outcomes(query, *outcomes)
    assert count_outcomes(query, *outcomes) == 0
    # The tombstone of the subject yields to it: this one was never erased.
    assert replay_again(make_record(subject=subject, created_at=LONG_AGO)) == 1


@pytest.mark.parametrize("name", ["request_id", "batch_id"])
def test_hold_brings_no_erased_request_back(
    name: str, erase: Erase, hold: Hold, replay_again: Callable[..., int], database: Database
) -> None:
    caller, batch_id = f"caller-{uuid4()}", uuid4()
    mine, late = (make_record(caller=caller, batch_id=batch_id, batch_index=n) for n in range(2))
    insert(database, mine)
    assert "waits_for" not in erase(request_id=str(getattr(mine, name)))
    hold(caller=caller)
    assert replay_again(mine) == 0
    assert replay_again(late) == (1 if name == "request_id" else 0)


def test_held_message_of_a_request_is_stored_until_the_hold_ends(
    erase: Erase,
    hold: Hold,
    maintain: LambdaHandler,
    replay_again: Callable[..., int],
    queues: Queues,
    sqs: "SQSClient",
) -> None:
    mine = make_record(subject=(subject := f"subject-{uuid4()}"))
    number = hold(subject=subject)
    sqs.send_message(QueueUrl=queues.url, MessageBody=encode(mine))
    answer = erase(request_id=str(mine.request_id))
    assert (answer["waits_for"], answer["kept_by_holds"]) == ("holds", {str(number): {"messages": 1}})
    assert replay_again(mine) == 1
    maintain({"task": "hold_remove", "hold": number, **WHY}, Context())
    assert "waits_for" not in erase(erasure=answer["erasure"])
    hold(subject=subject)
    assert replay_again(mine) == 0


def test_hold_keeps_the_key_of_its_request(
    erase: Erase, hold: Hold, maintain: LambdaHandler, database: Database, query: Query, subject: str
) -> None:
    mine = make_record(subject=subject)
    insert(database, mine)
    add_key(query, mine.request_id)
    number = hold(subject=subject)
    answer = erase(request_id=str(mine.request_id))
    assert (answer["waits_for"], count_keys(query, mine.request_id)) == ("holds", 1)
    maintain({"task": "hold_remove", "hold": number, **WHY}, Context())
    assert erase(erasure=answer["erasure"])["erased"] == make_counts(predictions=1, idempotency_keys=1)


def test_key_of_a_request_without_a_record_goes(erase: Erase, query: Query) -> None:
    request_id = uuid4()
    add_key(query, request_id)
    assert erase(request_id=str(request_id))["erased"] == make_counts(idempotency_keys=1)


def test_hold_may_last_for_ever(hold: Hold, maintain: LambdaHandler, erase: Erase, database: Database) -> None:
    last = datetime(9999, 12, 31, 12, tzinfo=UTC)
    number = hold(starts="9999-12-31", ends="9999-12-31")
    subject = f"subject-{uuid4()}"
    insert(database, make_record(subject=subject, created_at=last))
    answer = erase(subject=subject)
    assert answer["kept_by_holds"] == {str(number): {"predictions": 1}}
    maintain({"task": "hold_remove", "hold": number, **WHY}, Context())
    assert "waits_for" not in erase(erasure=answer["erasure"])


def test_hold_that_comes_during_a_search_counts_from_the_next_file_on(
    erase: Erase, hold: Hold, exports: Exports, subject: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    days = [LONG_AGO + timedelta(days=n) for n in range(3)]
    for day in days:
        exports.put(str(day.date()), [make_record(subject=subject, created_at=day)])
    delete = ExportedFiles.delete
    placed: list[int] = []

    def place_hold(*arguments: Any) -> None:
        delete(*arguments)
        placed.append(hold(starts=str(days[1].date()), ends=str(days[1].date())))

    monkeypatch.setattr(ExportedFiles, "delete", place_hold)
    answer = erase(subject=subject)
    assert answer["erased"] == make_counts(exported_rows=2)
    assert answer["kept_by_holds"][str(placed[0])] == {"exported_rows": 1}


def test_hold_that_comes_during_a_sweep_counts_from_the_next_record_on(
    erase: Erase, hold: Hold, queues: Queues, sqs: "SQSClient", subject: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in range(3):
        sqs.send_message(QueueUrl=queues.url, MessageBody=encode(make_record(subject=subject, created_at=LONG_AGO)))
    placed: list[int] = []

    bury = Progress.bury

    def place_hold(*arguments: Any) -> None:
        bury(*arguments)
        placed.append(hold(subject=subject))

    monkeypatch.setattr(Progress, "bury", place_hold)
    answer = erase(subject=subject)
    assert answer["erased"] == make_counts(messages=1)
    assert answer["kept_by_holds"] == {str(placed[0]): {"messages": 2}}
