"""Erasure as a whole: killed anywhere it completes, holds keep their records, and nobody else may ask for it."""

from datetime import timedelta
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest

from lambda_app.log.database import Database
from lambda_app.maintain import erasure, exported, files
from lambda_app.project import API_ROLE, MAINTAIN_ROLE, READER_ROLE, REPLAY_ROLE
from lambda_app.tasks import TaskFailedError
from lambda_app.telemetry import LambdaHandler
from local.records import make_record
from tests.events import Context
from tests.functional.erasing import DAY, LONG_AGO, WHY, Erase, Hold, count, make_counts
from tests.functional.exports import Exports
from tests.functional.helpers import Query, Queues
from tests.functional.outcomes import count_outcomes, encode_outcomes, insert_outcomes, make_outcome
from tests.functional.test_replay import encode, find_failures, make_event
from tests.records import insert

if TYPE_CHECKING:
    from types_boto3_sqs import SQSClient


class KilledError(Exception):
    """No code of the erasure handles it."""


STEPS = [
    *(
        (erasure, f"erase_{name}", 1, after)
        for name in (
            *("predictions", "queued_predictions", "exported_predictions"),
            *("outcomes", "queued_outcomes", "exported_outcomes"),
        )
        for after in (False, True)
    ),
    # The first is a file of predictions, the last one of outcomes.
    *(
        (owner, name, call, after)
        for owner, name, after in (
            (exported.ExportedFiles, "replace", False),
            (files.RecordsBucket, "upload", True),
            (files.RecordsBucket, "write_manifest", True),
            (exported.ExportedFiles, "delete", False),
            (exported.ExportedFiles, "delete", True),
        )
        for call in (1, 2 if name == "upload" else 3)
    ),
    (exported.ExportedFiles, "_delete_versions", 1, False),
]


@pytest.mark.parametrize(("owner", "name", "call", "after"), STEPS, ids=[f"{name}-{c}-{a}" for _, name, c, a in STEPS])
def test_killed_anywhere_the_next_call_completes_it(
    owner: Any,
    name: str,
    call: int,
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
    # For each prediction, wherever it is, outcomes in the table, in a file and in a message.
    tabled, filed, queued = ([make_outcome(record) for record in (*mine, other)] for _ in range(3))
    insert_outcomes(query, *tabled)
    exports.put_outcomes(DAY, [*filed[:3], filed[-1]], filed[3:-1])
    sqs.send_message(QueueUrl=queues.url, MessageBody=encode_outcomes(*queued))
    work = getattr(owner, name)
    calls = 0

    def die(*arguments: Any, **named: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls < call or after:
            done = work(*arguments, **named)
        if calls == call:
            raise KilledError
        return done

    with monkeypatch.context() as patch:
        patch.setattr(owner, name, die)
        with pytest.raises(TaskFailedError, match="KilledError"):
            erase(subject=subject)
    [[number]] = query("SELECT id FROM erasures WHERE subject = :subject", subject=subject)
    answer = erase(subject=subject)
    assert answer["erasure"] == number
    assert "waits_for" not in answer
    # A message may have gone before its count.
    assert answer["erased"] | {"messages": 8} == make_counts(predictions=2, outcomes=6, messages=8, exported_rows=8)
    assert exports.list_subjects() == {"other"}
    assert exports.list_outcome_ids() == {str(filed[-1].outcome_id)}
    bodies = {key: contents for key, contents in exports.read_all_versions().items() if key.endswith("parquet")}
    [part] = exports.read_manifest(DAY)["parts"]
    assert part == exports.describe(part["key"], bodies[part["key"]][0], [other])
    [outcome_part] = exports.read_manifest(DAY, "outcomes")["parts"]
    assert outcome_part == exports.describe_outcomes(outcome_part["key"], bodies[outcome_part["key"]][0], [filed[-1]])
    assert sorted(bodies) == sorted([part["key"], outcome_part["key"]])
    assert queues.drain_dead_letters() == [encode(other)] * 2
    assert queues.drain() == [encode_outcomes(queued[-1])]
    assert (count(query, *mine), count(query, other)) == (0, 1)
    assert (count_outcomes(query, *tabled[:-1]), count_outcomes(query, tabled[-1])) == (0, 1)


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
        patch.setattr(erasure, "erase_queued_predictions", die)
        with pytest.raises(TaskFailedError, match="KilledError"):
            erase(subject=subject)
    [[number]] = query("SELECT id FROM erasures WHERE subject = :subject", subject=subject)
    done = maintain({"task": "daily"}, Context())
    assert done["completed_erasures"] >= 1
    # By its id: other tests share the table, and may have left an erasure open.
    assert query("SELECT completed_at IS NULL FROM erasures WHERE id = :id", id=number) == [[False]]


@pytest.mark.parametrize("scope", ["subject", "caller", "period"])
def test_holds_keep_their_records_until_they_end(
    scope: str,
    erase: Erase,
    hold: Hold,
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
    assert answer["erased"] == make_counts(predictions=gone, messages=gone, exported_rows=gone)
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
    assert last["erased"] == make_counts(predictions=3, messages=2, exported_rows=2)
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
        ({"erasure": "1"}, "erasure must be a whole number from 1 on"),
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


@pytest.mark.parametrize(
    ("role", "may"), [(API_ROLE, False), (REPLAY_ROLE, False), (READER_ROLE, False), (MAINTAIN_ROLE, True)]
)
def test_only_maintain_may_open_an_erasure(role: str, may: bool, query: Query) -> None:
    function = "open_erasure(text, uuid, text, text)"
    assert query("SELECT has_function_privilege(:role, :name, 'EXECUTE')", role=role, name=function) == [[may]]
