"""Erasure of outcomes: they go with their predictions, wherever either of them is, and do not come back."""

import contextlib
import threading
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4

import pytest

from lambda_app.log.database import Database
from lambda_app.maintain import erased_rows
from lambda_app.maintain.exported_rows import digest_request
from lambda_app.telemetry import LambdaHandler
from local.records import make_record
from tests.events import Context
from tests.functional.erasing import DAY, LONG_AGO, WHY, Erase, Hold, make_counts
from tests.functional.exports import Exports
from tests.functional.helpers import Query, Queues
from tests.functional.outcomes import Outcome, count_outcomes, encode_outcomes, insert_outcomes, make_outcome
from tests.functional.test_replay import encode, find_failures, make_event
from tests.records import insert

if TYPE_CHECKING:
    from types_boto3_sqs import SQSClient


@pytest.mark.parametrize("where", ["table", "queue", "dead letters", "file", "nowhere"])
def test_outcomes_of_a_request_go_from_everywhere_and_do_not_come_back(
    where: str,
    erase: Erase,
    exports: Exports,
    queues: Queues,
    sqs: "SQSClient",
    database: Database,
    query: Query,
) -> None:
    mine, other = make_record(created_at=LONG_AGO), make_record(created_at=LONG_AGO)
    # Where the prediction itself is. "nowhere": it was dropped, and its files deleted.
    if where == "table":
        insert(database, mine)
    elif where == "file":
        exports.put(DAY, [mine, other])
    elif where != "nowhere":
        url = queues.url if where == "queue" else queues.dead_letter_url
        sqs.send_message(QueueUrl=url, MessageBody=encode(mine, other))
    places: list[list[Outcome]] = [[make_outcome(mine), make_outcome(mine), make_outcome(other)] for _ in range(4)]
    stored, exported, queued, dead = places
    insert_outcomes(query, *stored)
    exports.put_outcomes(DAY, exported)
    sqs.send_message(QueueUrl=queues.url, MessageBody=encode_outcomes(*queued))
    sqs.send_message(QueueUrl=queues.dead_letter_url, MessageBody=encode_outcomes(*dead))
    answer = erase(request_id=str(mine.request_id))
    assert "waits_for" not in answer
    counts = make_counts(outcomes=2, messages=4, exported_rows=2)
    if where != "nowhere":
        counts[{"table": "predictions", "file": "exported_rows"}.get(where, "messages")] += 1
    assert answer["erased"] == counts
    assert (count_outcomes(query, *stored[:2]), count_outcomes(query, stored[2])) == (0, 1)
    assert exports.list_outcome_ids() == {str(exported[2].outcome_id)}
    [part] = exports.read_manifest(DAY, "outcomes")["parts"]
    body = exports.read_all_versions()[part["key"]][0]
    assert part == exports.describe_outcomes(part["key"], body, exported[2:])
    rest = [encode(other)] if where in {"queue", "dead letters"} else []
    assert sorted(queues.drain() + queues.drain_dead_letters()) == sorted(
        [encode_outcomes(queued[2]), encode_outcomes(dead[2]), *rest]
    )
    # A replay or a second report finds the tombstone.
    everything = [outcome for place in places for outcome in place if outcome.request_id == mine.request_id]
    insert_outcomes(query, *everything, make_outcome(mine))
    [[left]] = query("SELECT count(*) FROM outcomes WHERE request_id = :id", id=mine.request_id)
    assert left == 0


def test_outcomes_of_a_batch_go_with_its_predictions(erase: Erase, database: Database, query: Query) -> None:
    batch_id = uuid4()
    batch = [make_record(batch_id=batch_id, batch_index=n) for n in range(3)]
    insert(database, *batch)
    outcomes = [make_outcome(record) for record in batch]
    insert_outcomes(query, *outcomes)
    assert erase(request_id=str(batch[0].request_id))["erased"] == make_counts(predictions=1, outcomes=1)
    assert erase(request_id=str(batch_id))["erased"] == make_counts(predictions=2, outcomes=2)
    assert count_outcomes(query, *outcomes) == 0


def test_outcome_of_a_prediction_that_arrives_erased_is_refused_too(
    erase: Erase, replay: LambdaHandler, query: Query, subject: str
) -> None:
    """The prediction was in no place that the erasure could search: only its subject tells that it is meant."""
    erase(subject=subject)
    late = make_record(subject=subject, created_at=LONG_AGO)
    assert find_failures(replay, make_event(encode(late))) == []
    insert_outcomes(query, make_outcome(late))
    [[left]] = query("SELECT count(*) FROM outcomes WHERE request_id = :id", id=late.request_id)
    assert left == 0


def test_outcomes_that_are_being_written_go_too(
    erase: Erase, settings: Any, subject: str, database: Database, exports: Exports, query: Query
) -> None:
    stored = [make_record(subject=subject, created_at=LONG_AGO) for _ in range(40)]
    # The table never had these.
    elsewhere = [make_record(subject=subject, created_at=LONG_AGO) for _ in range(40)]
    insert(database, *stored)
    exports.put(DAY, elsewhere)
    ending = threading.Event()
    written = 0

    def write() -> None:
        nonlocal written
        with contextlib.closing(Database(settings)) as own:
            while not ending.is_set():
                for records in zip(stored, elsewhere, strict=True):
                    own.run_transaction(
                        lambda connection, of=records: insert_outcomes(  # type: ignore[misc]
                            connection.run, *(make_outcome(record) for record in of)
                        )
                    )
                    written += 2

    threads = [threading.Thread(target=write) for _ in range(3)]
    for thread in threads:
        thread.start()
    try:
        while written < 100:
            ending.wait(0.01)
        answer = erase(subject=subject)
        done = written
        while written < done + 100:
            ending.wait(0.01)
    finally:
        ending.set()
        for thread in threads:
            thread.join()
    assert "waits_for" not in answer
    assert answer["erased"]["outcomes"] > 0
    ids = [record.request_id for record in (*stored, *elsewhere)]
    assert query("SELECT count(*) FROM outcomes WHERE request_id = ANY (:ids)", ids=ids) == [[0]]


def test_a_writer_of_outcomes_that_does_not_end_keeps_the_erasure_open(
    erase: Erase, settings: Any, exports: Exports, query: Query, subject: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    record = make_record(subject=subject, created_at=LONG_AGO)
    exports.put(DAY, [record])
    monkeypatch.setattr(erased_rows, "WAIT_SECONDS", 0.0)
    with contextlib.closing(Database(settings)) as database:

        def work(connection: Any) -> dict[str, Any]:
            insert_outcomes(connection.run, make_outcome(record))
            return erase(subject=subject)

        answer = database.run_transaction(work)
    assert answer["waits_for"] == "a transaction that writes outcomes"
    again = erase(erasure=answer["erasure"])
    assert ("waits_for" in again, again["erased"]) == (False, make_counts(outcomes=1, exported_rows=1))


def end(maintain: LambdaHandler, number: int) -> None:
    maintain({"task": "hold_remove", "hold": number, **WHY}, Context())


def test_outcomes_of_a_held_prediction_stay(
    erase: Erase,
    hold: Hold,
    maintain: LambdaHandler,
    exports: Exports,
    queues: Queues,
    sqs: "SQSClient",
    subject: str,
    database: Database,
    query: Query,
) -> None:
    record = make_record(subject=subject, created_at=LONG_AGO)
    insert(database, record)
    stored, exported, queued = (make_outcome(record) for _ in range(3))
    insert_outcomes(query, stored)
    exports.put_outcomes(DAY, [exported])
    sqs.send_message(QueueUrl=queues.dead_letter_url, MessageBody=encode_outcomes(queued))
    number = hold(subject=subject)
    opened = []
    for what in ({"subject": subject}, {"request_id": str(record.request_id)}):
        answer = erase(**what)
        opened.append(answer["erasure"])
        assert (answer["waits_for"], answer["erased"]) == ("holds", make_counts())
        assert answer["kept_by_holds"] == {str(number): {"predictions": 1, "outcomes": 1}}
    # Also of one that is reported later, although the request is buried.
    insert_outcomes(query, later := make_outcome(record))
    assert count_outcomes(query, stored, later) == 2
    end(maintain, number)
    assert ["waits_for" in erase(erasure=one) for one in opened] == [False, False]
    assert count_outcomes(query, stored, later) == 0
    assert exports.list_outcome_ids() == set()
    assert queues.drain_dead_letters() == []


def test_hold_of_a_period_keeps_the_outcomes_reported_in_it(
    erase: Erase,
    hold: Hold,
    maintain: LambdaHandler,
    exports: Exports,
    queues: Queues,
    sqs: "SQSClient",
    subject: str,
    database: Database,
    query: Query,
) -> None:
    record = make_record(subject=subject, created_at=LONG_AGO)
    insert(database, record)
    within = {"reported_at": LONG_AGO + timedelta(days=10)}
    held, free = ([make_outcome(record, **changed) for _ in range(3)] for changed in (within, {}))
    insert_outcomes(query, held[0], free[0])
    exports.put_outcomes(DAY, [held[1], free[1]])
    sqs.send_message(QueueUrl=queues.url, MessageBody=encode_outcomes(held[2], free[2]))
    number = hold(starts="2026-03-11", ends="2026-03-11")
    answer = erase(subject=subject)
    assert answer["waits_for"] == "holds"
    assert answer["erased"] == make_counts(predictions=1, outcomes=1, messages=1, exported_rows=1)
    assert answer["kept_by_holds"] == {str(number): {"outcomes": 1, "messages": 1, "exported_rows": 1}}
    assert (count_outcomes(query, held[0]), count_outcomes(query, free[0])) == (1, 0)
    # It may still be stored, and is kept.
    insert_outcomes(query, held[2], free[2])
    assert count_outcomes(query, *held, *free) == 2
    end(maintain, number)
    last = erase(erasure=answer["erasure"])
    assert "waits_for" not in last
    assert last["erased"] == make_counts(predictions=1, outcomes=3, messages=2, exported_rows=2)
    assert count_outcomes(query, *held, *free) == 0
    assert exports.list_outcome_ids() == set()
    assert queues.drain() == []


def test_digest_is_the_databases(query: Query) -> None:
    request_id = UUID(int=2**127 + 4711)
    [[digest]] = query("SELECT digest_request(:id)", id=request_id)
    assert bytes(digest) == digest_request(request_id)


def test_outcomes_reported_for_the_subjects_later_predictions_stay(
    erase: Erase, database: Database, query: Query, subject: str
) -> None:
    later = make_record(subject=subject, created_at=datetime.now(UTC) + timedelta(hours=1))
    insert(database, later)
    query("UPDATE predictions SET recorded_at = created_at WHERE request_id = :id", id=later.request_id)
    insert_outcomes(query, outcome := make_outcome(later))
    assert erase(subject=subject)["erased"] == make_counts()
    assert count_outcomes(query, outcome) == 1
