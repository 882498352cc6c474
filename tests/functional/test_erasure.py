"""Erasure: every trace of a subject or a request goes, for good, and nothing else does."""

import contextlib
import dataclasses
import json
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4

import pytest

from lambda_app.http.schemas import EXAMPLE_REQUEST
from lambda_app.log.database import Database
from lambda_app.log.message import encode_messages
from lambda_app.log.record import PredictionRecord
from lambda_app.maintain import erasure, exported, files, messages
from lambda_app.maintain.tools import MaintenanceError
from lambda_app.project import API_ROLE, MAINTAIN_ROLE, READER_ROLE, REPLAY_ROLE
from lambda_app.telemetry import LambdaHandler
from local.records import make_record
from tests.events import Context
from tests.functional.exports import Exports, fold
from tests.functional.helpers import DEAD_DATABASE, Query, Queues, Wire, count_rows, post
from tests.functional.test_replay import encode, find_failures, make_event
from tests.records import insert

if TYPE_CHECKING:
    from types_boto3_s3 import S3Client
    from types_boto3_sqs import SQSClient

DAY = "2026-03-01"
LONG_AGO = datetime(2026, 3, 1, 12, tzinfo=UTC)
WHY = {"reason": "asked for by letter", "by": "arn:aws:iam::123456789012:user/ada"}


@pytest.fixture(autouse=True)
def _short_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(messages, "POLL_SECONDS", 0)
    monkeypatch.setattr(messages, "WAIT_SECONDS", 0.0)
    monkeypatch.setattr(erasure, "PAUSE_SECONDS", 0.01)


@pytest.fixture
def subject() -> str:
    return f"subject-{uuid4()}"


@pytest.fixture
def exports(client: "S3Client", bucket: str) -> Exports:
    return Exports(client, bucket)


@pytest.fixture
def maintain(wire: Wire, queues: Queues, exports: Exports) -> LambdaHandler:
    return wire("maintain", RECORDS_BUCKET=exports.bucket, **queues.environment)


@pytest.fixture
def erase(maintain: LambdaHandler) -> Callable[..., dict[str, Any]]:
    def run(**what: Any) -> dict[str, Any]:
        answer: dict[str, Any] = maintain({"task": "erase", **WHY, **what}, Context())
        return answer

    return run


@pytest.fixture
def hold(maintain: LambdaHandler) -> Iterator[Callable[..., int]]:
    """Place a hold, which ends with the test."""
    placed = []

    def add(**what: Any) -> int:
        placed.append(maintain({"task": "hold_add", **WHY, **what}, Context())["hold"])
        return int(placed[-1])

    yield add
    for number in placed:
        maintain({"task": "hold_remove", "hold": number, **WHY}, Context())


Erase = Callable[..., dict[str, Any]]


def count(query: Query, *records: PredictionRecord) -> int:
    [[found]] = query(
        "SELECT count(*) FROM predictions WHERE request_id = ANY(:ids)", ids=[r.request_id for r in records]
    )
    return int(found)


def read_erasure(query: Query, number: int) -> dict[str, Any]:
    [[row]] = query("SELECT to_json(erasures) FROM erasures WHERE id = :id", id=number)
    return dict(row)


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
    erased = {"predictions": 1103, "idempotency_keys": 2, "messages": 0, "exported_rows": 0}
    assert answer == {
        "erasure": answer["erasure"],
        "erased": erased,
        "kept_by_holds": {},
        "unreadable_messages": 0,
    }
    assert count_rows(query) == before - 1103
    assert query("SELECT subject FROM predictions WHERE batch_id = :id", id=UUID(batch["batch_id"])) == [["other"]]
    left = query("SELECT idempotency_key FROM idempotency_keys WHERE idempotency_key = ANY(:keys)", keys=keys)
    assert left == [[keys[2]]]
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
    assert again["erased"] == dict.fromkeys(erased, 0)
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


def test_files_lose_every_version_of_the_erased_rows(
    erase: Erase, exports: Exports, subject: str, query: Query
) -> None:
    made = {"created_at": LONG_AGO}
    mine = [make_record(subject=subject, batch_id=uuid4(), batch_index=0, **made) for _ in range(4)]
    others = [make_record(subject=name, **made) for name in ("ü", None, "other")]
    mixed, alone, foreign = exports.put(DAY, [others[0], *mine[:2], others[1]], mine[2:3], others[2:])
    # An old version, and what a killed export has left.
    exports.put("2026-03-02", mine[3:])
    exports.put("2026-03-02", others[2:])
    stray = "predictions/model_version=v1/date=2026-03-03/part-0000.parquet"
    exports.s3.copy_object(Bucket=exports.bucket, Key=stray, CopySource={"Bucket": exports.bucket, "Key": alone})
    untouched = exports.read_manifest("2026-03-02")
    answer = erase(subject=subject)
    assert "waits_for" not in answer
    assert answer["erased"]["exported_rows"] == 3
    manifest = exports.read_manifest(DAY)
    [kept, new] = manifest["parts"]
    assert kept["key"] == foreign
    assert new["key"] == f"{mixed[:-12]}0003.parquet"
    body = exports.read_all_versions()[new["key"]][0]
    assert new == exports.describe(new["key"], body, others[:2])
    assert manifest == {"date": DAY, "recorded_until": f"{DAY}T23:00:00+00:00", "parts": [kept, new]}
    assert [row["request_id"] for row in exports.read_rows(new["key"])] == [str(r.request_id) for r in others[:2]]
    assert exports.list_subjects() == {"ü", None, "other"}
    assert exports.read_manifest("2026-03-02") == untouched
    # A manifest of one row would show its id.
    assert len(exports.read_all_versions()[f"manifests/predictions/{DAY}.json"]) == 1
    assert sorted(key for key in exports.read_all_versions() if key.endswith("parquet")) == sorted(
        [foreign, new["key"], untouched["parts"][0]["key"]]
    )
    # What only the files had does not come back either.
    [[found]] = query("SELECT count(*) FROM tombstones WHERE digest = digest_request(:id)", id=mine[0].request_id)
    assert found == 1


def test_later_rows_of_the_subject_stay_in_the_files(erase: Erase, exports: Exports, subject: str) -> None:
    later = make_record(subject=subject, created_at=datetime.now(UTC) + timedelta(hours=1))
    earlier = make_record(subject=subject, created_at=LONG_AGO)
    exports.put(DAY, [later, earlier])
    erase(subject=subject)
    [part] = exports.read_manifest(DAY)["parts"]
    assert (part["rows"], part["ids"]) == (1, fold([later]))


def test_a_request_goes_from_files_and_messages(
    erase: Erase, exports: Exports, queues: Queues, sqs: "SQSClient"
) -> None:
    batch_id = uuid4()
    records = [make_record(batch_id=batch_id, batch_index=n, created_at=LONG_AGO) for n in range(3)]
    other = make_record(created_at=LONG_AGO)
    exports.put(DAY, [*records, other])
    sqs.send_message(QueueUrl=queues.dead_letter_url, MessageBody=encode(*records, other))
    assert erase(request_id=str(records[1].request_id))["erased"] == {
        "predictions": 0, "idempotency_keys": 0, "messages": 1, "exported_rows": 1,
    }  # fmt: skip
    assert erase(request_id=str(batch_id))["erased"]["exported_rows"] == 2
    [part] = exports.read_manifest(DAY)["parts"]
    assert [row["request_id"] for row in exports.read_rows(part["key"])] == [str(other.request_id)]
    assert queues.drain_dead_letters() == [encode(other)]


class KilledError(Exception):
    """No code of the erasure handles it."""


STEPS = [
    (erasure._Work, "_erase_rows", False),
    (erasure._Work, "_erase_rows", True),
    (erasure._Work, "_erase_messages", False),
    (erasure._Work, "_erase_messages", True),
    (exported.ExportedFiles, "replace", False),
    (files.RecordsBucket, "upload", True),
    (files.RecordsBucket, "write_manifest", True),
    (exported.ExportedFiles, "_delete_versions", False),
    (exported.ExportedFiles, "delete", False),
    (exported.ExportedFiles, "delete", True),
    (erasure._Work, "_erase_from_files", True),
]


@pytest.mark.parametrize(("kind", "name", "after"), STEPS, ids=[f"{name}-{after}" for _, name, after in STEPS])
def test_killed_anywhere_the_next_call_completes_it(
    kind: type,
    name: str,
    after: bool,
    erase: Erase,
    exports: Exports,
    queues: Queues,
    sqs: "SQSClient",
    subject: str,
    query: Query,
    database: Database,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    mine = [make_record(subject=subject, created_at=LONG_AGO) for _ in range(6)]
    other = make_record(subject="other", created_at=LONG_AGO)
    insert(database, *mine[:2], other)
    exports.put(DAY, [mine[2], other], [mine[3]])
    for record in mine[4:]:
        sqs.send_message(QueueUrl=queues.dead_letter_url, MessageBody=encode(record, other))
    work = getattr(kind, name)

    def die(*arguments: Any, **named: Any) -> Any:
        if after:
            work(*arguments, **named)
        raise KilledError

    with monkeypatch.context() as patch:
        patch.setattr(kind, name, die)
        with pytest.raises(MaintenanceError, match="KilledError"):
            erase(subject=subject)
    [[number]] = query("SELECT id FROM erasures WHERE subject = :subject", subject=subject)
    answer = erase(subject=subject)
    assert answer["erasure"] == number
    assert "waits_for" not in answer
    # A message may have gone before its count.
    assert answer["erased"] | {"messages": 2} == {
        "predictions": 2, "idempotency_keys": 0, "messages": 2, "exported_rows": 2,
    }  # fmt: skip
    assert exports.list_subjects() == {"other"}
    [part] = exports.read_manifest(DAY)["parts"]
    assert part == exports.describe(part["key"], exports.read_all_versions()[part["key"]][0], [other])
    assert sorted(key for key in exports.read_all_versions() if key.endswith("parquet")) == [part["key"]]
    assert queues.drain_dead_letters() == [encode(other)] * 2
    assert (count(query, *mine), count(query, other)) == (0, 1)


def test_daily_work_finishes_an_erasure(
    erase: Erase,
    maintain: LambdaHandler,
    subject: str,
    query: Query,
    database: Database,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    insert(database, make_record(subject=subject))

    def die(*_: Any) -> None:
        raise KilledError

    with monkeypatch.context() as patch:
        patch.setattr(erasure._Work, "_erase_messages", die)
        with pytest.raises(MaintenanceError, match="KilledError"):
            erase(subject=subject)
    done = maintain({"task": "daily"}, Context())
    assert (done["completed_erasures"], done["open_erasures"]) == (1, 0)


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


@pytest.mark.parametrize("scope", ["subject", "caller", "period"])
def test_holds_keep_their_records_until_they_end(
    scope: str,
    erase: Erase,
    hold: Callable[..., int],
    maintain: LambdaHandler,
    exports: Exports,
    queues: Queues,
    sqs: "SQSClient",
    subject: str,
    query: Query,
    database: Database,
    replay: LambdaHandler,
) -> None:
    caller = f"caller-{subject}"
    held = [make_record(subject=subject, caller=caller, created_at=LONG_AGO) for _ in range(3)]
    free = [make_record(subject=subject, created_at=LONG_AGO - timedelta(days=1)) for _ in range(3)]
    insert(database, held[0], free[0])
    exports.put(DAY, [held[1], free[1]])
    sqs.send_message(QueueUrl=queues.dead_letter_url, MessageBody=encode(held[2], free[2]))
    number = hold(
        **{"subject": {"subject": subject}, "caller": {"caller": caller}, "period": {"starts": DAY, "ends": DAY}}[scope]
    )
    answer = erase(subject=subject)
    each = 2 if scope == "subject" else 1
    assert answer["waits_for"] == "holds"
    assert answer["kept_by_holds"][str(number)] == {"predictions": each, "messages": each, "exported_rows": each}
    gone = 0 if scope == "subject" else 1
    assert answer["erased"] == {"predictions": gone, "idempotency_keys": 0, "messages": gone, "exported_rows": gone}
    # One under a hold may still be stored, and is kept.
    assert find_failures(replay, make_event(encode(held[2]))) == []
    assert count(query, held[0], held[2]) == 2
    [[unfinished]] = query(
        "SELECT count(*) FROM (" + erasure._FIND_UNFINISHED + ") AS x WHERE id = :id", id=answer["erasure"]
    )
    assert unfinished == 0
    maintain({"task": "hold_remove", "hold": number, **WHY}, Context())
    [[unfinished]] = query(
        "SELECT count(*) FROM (" + erasure._FIND_UNFINISHED + ") AS x WHERE id = :id", id=answer["erasure"]
    )
    assert unfinished == 1
    last = erase(erasure=answer["erasure"])
    assert "waits_for" not in last
    assert last["erased"] == {"predictions": 3, "idempotency_keys": 0, "messages": 2, "exported_rows": 2}
    assert exports.list_subjects() == set()
    assert exports.read_manifest(DAY)["parts"] == []
    assert queues.drain_dead_letters() == []
    assert count(query, *held, *free) == 0


def test_another_run_is_waited_for(erase: Erase, query: Query, subject: str, database: Database) -> None:
    insert(database, make_record(subject=subject))
    query("UPDATE lease SET holder = gen_random_uuid(), ends_at = now() + interval '1 minute'")
    try:
        answer = erase(subject=subject)
    finally:
        query("UPDATE lease SET holder = NULL, ends_at = '-infinity'")
    assert answer["waits_for"] == "another run of maintain"
    assert erase(erasure=answer["erasure"])["erased"]["predictions"] == 1


class EndingContext(Context):
    def get_remaining_time_in_millis(self) -> int:
        return 1000


def test_time_that_ends_leaves_it_open(maintain: LambdaHandler, subject: str, database: Database) -> None:
    insert(database, make_record(subject=subject))
    answer = maintain({"task": "erase", "subject": subject, **WHY}, EndingContext())
    assert answer["waits_for"] == "time"
    assert "waits_for" not in maintain({"task": "erase", "erasure": answer["erasure"]}, Context())


@pytest.mark.parametrize(
    ("event", "told"),
    [
        ({}, "name exactly one of subject, request_id, erasure"),
        ({"subject": "a", "request_id": str(uuid4())}, "name exactly one of subject, request_id, erasure"),
        ({"subject": "a\nb"}, "subject must be a text of 1 to 128 printable characters"),
        ({"subject": "a", "reason": ""}, "reason must be a text of 1 to 1000 printable characters"),
        ({"request_id": "4711"}, "request_id must be a UUID"),
        ({"erasure": 2**40}, f"there is no erasure {2**40}"),
        ({"erasure": "1"}, "erasure must be a whole number"),
    ],
)
def test_a_wrong_request_is_refused(event: dict[str, Any], told: str, erase: Erase) -> None:
    assert erase(**event) == {"error": told}


def test_the_subject_is_in_no_log(
    erase: Erase, subject: str, database: Database, capsys: pytest.CaptureFixture[str]
) -> None:
    insert(database, make_record(subject=subject))
    erase(subject=subject)
    out, err = capsys.readouterr()
    assert subject not in out + err


def test_messages_of_the_format_before_are_read(erase: Erase, queues: Queues, sqs: "SQSClient") -> None:
    record, other = make_record(), make_record()
    [body] = encode_messages([record, other])
    old = body.replace('"version":2', '"version":1').replace('"subject":null,', "")
    sqs.send_message(QueueUrl=queues.dead_letter_url, MessageBody=old)
    assert erase(request_id=str(record.request_id))["erased"]["messages"] == 1
    [left] = queues.drain_dead_letters()
    assert [one["request_id"] for one in json.loads(left)["records"]] == [str(other.request_id)]


@pytest.mark.parametrize(
    ("role", "may"), [(API_ROLE, False), (REPLAY_ROLE, False), (READER_ROLE, False), (MAINTAIN_ROLE, True)]
)
def test_only_maintain_may_open_an_erasure(role: str, may: bool, query: Query) -> None:
    function = "open_erasure(text, uuid, text, text)"
    assert query("SELECT has_function_privilege(:role, :name, 'EXECUTE')", role=role, name=function) == [[may]]
