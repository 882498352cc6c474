"""Erasure from the tables: rows and keys of a subject or a request go, and do not come back."""

import contextlib
import dataclasses
import threading
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4

import pytest

from lambda_app.http.schemas import EXAMPLE_REQUEST
from lambda_app.log.database import Database
from lambda_app.log.record import PredictionRecord
from lambda_app.maintain import erasure
from lambda_app.telemetry import LambdaHandler
from local.records import make_record
from tests.functional.erasing import LONG_AGO, WHY, Erase, count, make_counts, read_erasure
from tests.functional.helpers import Query, Queues, Wire, count_rows, post
from tests.functional.test_replay import encode, find_failures, make_event
from tests.records import insert

if TYPE_CHECKING:
    pass


def test_rows_and_keys_of_a_subject_go_and_nothing_else(
    api: LambdaHandler, erase: Erase, query: Query, subject: str, database: Database
) -> None:
    keys = [str(uuid4()) for _ in range(3)]
    mine = post(api, "/predict", {**EXAMPLE_REQUEST, "subject": subject}, **{"idempotency-key": keys[0]})
    cases = [{**EXAMPLE_REQUEST, "subject": name} for name in (subject, "other", subject)]
    batch = post(api, "/predict/batch", {"patients": cases}, **{"idempotency-key": keys[1]})["body"]
    post(api, "/predict", {**EXAMPLE_REQUEST, "subject": "other"}, **{"idempotency-key": keys[2]})
    many = [make_record(subject=subject, created_at=LONG_AGO) for _ in range(1100)]
    insert(database, *many)
    before = count_rows(query)
    answer = erase(subject=subject)
    # The batch has a row of another subject, so its key stays.
    erased = make_counts(predictions=1103, idempotency_keys=1)
    assert answer == {
        "erasure": answer["erasure"],
        "erased": erased,
        "kept_by_holds": {},
        "unreadable_messages": 0,
    }
    assert count_rows(query) == before - 1103
    assert query("SELECT subject FROM predictions WHERE batch_id = :id", id=UUID(batch["batch_id"])) == [["other"]]
    left = query("SELECT idempotency_key FROM idempotency_keys WHERE idempotency_key = ANY(:keys)", keys=keys)
    assert sorted(left) == sorted([[keys[1]], [keys[2]]])
    row = read_erasure(query, answer["erasure"])
    # The deed stays, without the name.
    assert row == row | erased | {
        "subject": None,
        "request_id": None,
        "reason": WHY["reason"],
        "requested_by": WHY["by"],
    }
    assert row["completed_at"] is not None
    assert mine["statusCode"] == 200
    # The same again does no harm.
    again = erase(subject=subject)
    assert again["erased"] == make_counts()
    assert again["erasure"] != answer["erasure"]


def test_a_request_goes_by_the_id_of_its_record_or_of_its_batch(api: LambdaHandler, erase: Erase, query: Query) -> None:
    key = str(uuid4())
    single = post(api, "/predict", EXAMPLE_REQUEST, **{"idempotency-key": key})["body"]
    batches = [post(api, "/predict/batch", {"patients": [EXAMPLE_REQUEST] * 3})["body"] for _ in range(2)]
    one = batches[1]["predictions"][1]["request_id"]
    assert erase(request_id=single["request_id"])["erased"]["idempotency_keys"] == 1
    assert erase(request_id=batches[0]["batch_id"])["erased"]["predictions"] == 3
    assert erase(request_id=one)["erased"]["predictions"] == 1
    rows = query(
        "SELECT batch_index FROM predictions WHERE batch_id = ANY(:ids) ORDER BY 1",
        ids=[UUID(batch["batch_id"]) for batch in batches],
    )
    assert rows == [[0], [2]]


def test_key_of_a_batch_goes_with_its_last_row(api: LambdaHandler, erase: Erase, query: Query, subject: str) -> None:
    names = (subject, f"other-{subject}")
    patients = {"patients": [{**EXAMPLE_REQUEST, "subject": name} for name in names]}
    key = {"idempotency-key": str(uuid4())}
    batch = post(api, "/predict/batch", patients, **key)["body"]
    assert erase(subject=names[0])["erased"] == make_counts(predictions=1)
    # The same request again stores nobody twice.
    refused = post(api, "/predict/batch", patients, **key)
    assert (refused["statusCode"], "or its record was deleted" in refused["body"]["detail"]) == (422, True)
    stored = query("SELECT subject FROM predictions WHERE subject = ANY(:names)", names=list(names))
    assert stored == [[names[1]]]
    assert erase(request_id=batch["batch_id"])["erased"] == make_counts(predictions=1, idempotency_keys=1)


@pytest.mark.parametrize("ahead", [timedelta(minutes=5), timedelta(days=9), timedelta(days=365 * 74)])
def test_record_of_a_clock_that_is_ahead_goes(
    ahead: timedelta, erase: Erase, query: Query, subject: str, database: Database
) -> None:
    early, late = (make_record(subject=subject, created_at=datetime.now(UTC) + ahead) for _ in range(2))
    insert(database, early, late)
    # As if it had come after the erasure was asked for.
    query("UPDATE predictions SET recorded_at = created_at WHERE request_id = :id", id=late.request_id)
    answer = erase(subject=subject)
    assert ("waits_for" in answer, answer["erased"]) == (False, make_counts(predictions=1))
    assert (count(query, early), count(query, late)) == (0, 1)


def test_an_erased_record_does_not_come_back(
    api: LambdaHandler,
    erase: Erase,
    replay: LambdaHandler,
    queues: Queues,
    query: Query,
    subject: str,
    database: Database,
) -> None:
    by_subject = [make_record(subject=subject, batch_id=uuid4(), batch_index=0) for _ in range(2)]
    by_request, stays = make_record(), make_record(subject="other")
    insert(database, *by_subject, by_request)
    erase(subject=subject)
    erase(request_id=str(by_request.request_id))
    body = encode(*by_subject, by_request, stays)
    for _ in range(10):
        assert find_failures(replay, make_event(body, encode(by_request))) == []
    # Also if it never reached the table before: a message that waited elsewhere.
    late = make_record(subject=subject, created_at=LONG_AGO)
    assert find_failures(replay, make_event(encode(late))) == []
    # A batch that runs again makes the same ids at another time.
    again = [dataclasses.replace(record, created_at=datetime.now(UTC)) for record in by_subject]
    assert find_failures(replay, make_event(encode(*again))) == []
    assert count(query, *by_subject, by_request, late) == 0
    assert count(query, stays) == 1
    assert (queues.count(), queues.drain_dead_letters()) == (0, [])
    # The person may come again.
    answered = post(api, "/predict", {**EXAMPLE_REQUEST, "subject": subject})
    assert answered["statusCode"] == 200
    [[found]] = query("SELECT count(*) FROM predictions WHERE subject = :subject", subject=subject)
    assert found == 1


def test_concurrent_writers_leave_nothing_behind(
    erase: Erase, wire: Wire, settings: Any, subject: str, query: Query
) -> None:
    ending = threading.Event()
    written: list[PredictionRecord] = []

    def write() -> None:
        with contextlib.closing(Database(settings)) as database:
            while not ending.is_set():
                records = [make_record(subject=subject) for _ in range(2)]
                # In the past, as those that come from the queue.
                insert(database, *(dataclasses.replace(record, created_at=LONG_AGO) for record in records))
                written.extend(records)

    threads = [threading.Thread(target=write) for _ in range(4)]
    for thread in threads:
        thread.start()
    try:
        while len(written) < 200:
            ending.wait(0.01)
        answer = erase(subject=subject)
        done = len(written)
        while len(written) < done + 100:
            ending.wait(0.01)
    finally:
        ending.set()
        for thread in threads:
            thread.join()
    assert "waits_for" not in answer
    assert answer["erased"]["predictions"] >= 200
    [[left]] = query("SELECT count(*) FROM predictions WHERE subject = :subject", subject=subject)
    assert left == 0


def test_a_writer_that_does_not_end_is_waited_for(
    erase: Erase, settings: Any, subject: str, query: Query, monkeypatch: pytest.MonkeyPatch
) -> None:
    record = make_record(subject=subject)
    with contextlib.closing(Database(settings)) as database:

        def work(connection: Any) -> None:
            connection.run("INSERT INTO predictions SELECT * FROM predictions WHERE false")
            monkeypatch.setattr(erasure, "OPEN_SECONDS", 0.0)
            told = erase(subject=subject)["error"]
            assert told.startswith("a transaction writes to the table for a minute")

        database.run_transaction(work)
        insert(database, record)
    assert erase(subject=subject)["erased"]["predictions"] == 1
