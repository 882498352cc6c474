"""The tasks of maintain beside erasure: holds, what is held about a subject, and the state of the records."""

import dataclasses
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest

from lambda_app.http.schemas import EXAMPLE_REQUEST
from lambda_app.log.database import Database
from lambda_app.maintain import messages, show
from lambda_app.telemetry import LambdaHandler
from local.records import make_record
from tests.events import Context
from tests.functional.exports import Exports
from tests.functional.helpers import Query, Queues, Wire, post
from tests.functional.maintaining import Stage
from tests.functional.outcomes import encode_outcomes, insert_outcomes, make_outcome
from tests.functional.test_replay import encode
from tests.records import insert

if TYPE_CHECKING:
    from types_boto3_sqs import SQSClient

BY = {"by": "arn:aws:iam::123456789012:user/ada"}
WHY = {"reason": "case 12", **BY}
DAY = "2026-03-01"
LONG_AGO = datetime(2026, 3, 1, 12, tzinfo=UTC)

Ask = Callable[..., dict[str, Any]]


@pytest.fixture
def ask(wire: Wire, queues: Queues, exports: Exports, monkeypatch: pytest.MonkeyPatch) -> Ask:
    """The answer of a task."""
    monkeypatch.setattr(messages, "POLL_SECONDS", 0)
    maintain = wire("maintain", RECORDS_BUCKET=exports.bucket, **queues.environment)

    def run(task: str, **event: Any) -> dict[str, Any]:
        answer: dict[str, Any] = maintain({"task": task, **event}, Context())
        # Lambda sends it as JSON.
        return dict(json.loads(json.dumps(answer)))

    return run


def test_a_hold_is_placed_listed_and_removed_and_stays_as_evidence(ask: Ask) -> None:
    scopes: list[dict[str, Any]] = [
        {"subject": str(uuid4())},
        {"caller": "ada"},
        {"starts": "2020-01-31", "ends": "2020-02-01"},
    ]
    numbers = [ask("hold_add", **scope, **WHY)["hold"] for scope in scopes]
    held = [hold for hold in ask("hold_list")["holds"] if hold["id"] in numbers]
    empty = dict.fromkeys(("subject", "caller", "starts", "ends", "removed_by", "removed_at"))
    period = {"starts": "2020-01-31T00:00:00+00:00", "ends": "2020-02-02T00:00:00+00:00"}
    for hold, number, scope in zip(held, numbers, [*scopes[:2], period], strict=True):
        placed = {"id": number, "reason": WHY["reason"], "placed_by": WHY["by"], "placed_at": hold["placed_at"]}
        assert hold == empty | placed | scope
    for number in numbers:
        assert ask("hold_remove", hold=number, **BY) == {"hold": number}
        assert ask("hold_remove", hold=number, **BY) == {
            "error": f"there is no hold {number}, or it was removed before"
        }
    removed = [hold for hold in ask("hold_list")["holds"] if hold["id"] in numbers]
    assert [hold["removed_by"] for hold in removed] == [BY["by"]] * 3


@pytest.mark.parametrize(
    ("event", "told"),
    [
        (WHY, "name exactly one of subject, caller, starts"),
        ({"subject": "a", "caller": "b", **WHY}, "name exactly one of subject, caller, starts"),
        ({"starts": "2026-02-01", **WHY}, "ends must be a text of 1 to 10 printable characters"),
        ({"starts": "2026-02-30", "ends": "2026-03-01", **WHY}, "starts must be a day such as 2026-01-31"),
        ({"starts": "2026-02-02", "ends": "2026-02-01", **WHY}, "ends must not be before starts"),
        ({"subject": "a", **BY}, "reason must be a text of 1 to 1000 printable characters"),
    ],
)
def test_another_hold_is_refused(event: dict[str, Any], told: str, ask: Ask) -> None:
    assert ask("hold_add", **event) == {"error": told}


@pytest.mark.parametrize("page_bytes", [10_000_000, 1])
def test_all_that_is_held_about_a_subject_is_shown(
    page_bytes: int,
    ask: Ask,
    api: LambdaHandler,
    exports: Exports,
    queues: Queues,
    sqs: "SQSClient",
    database: Database,
    query: Query,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(show, "PAGE_BYTES", page_bytes)
    subject, key = f"subject-{uuid4()}", str(uuid4())
    cases = [{**EXAMPLE_REQUEST, "subject": name} for name in (subject, "other", subject)]
    batch = post(api, "/predict/batch", {"patients": cases}, **{"idempotency-key": key})["body"]
    warned = make_record(
        subject=subject, created_at=LONG_AGO, caller="show-me", warnings=[{"field": "bmi", "message": "odd"}]
    )
    stored, dropped, queued = warned, dataclasses.replace(warned, request_id=uuid4()), make_record(subject=subject)
    dropped_too, other = dataclasses.replace(dropped, request_id=uuid4()), make_record(created_at=LONG_AGO)
    insert(database, stored)
    [key_of_file, *_] = exports.put(DAY, [dropped, other, stored, dropped_too], [other])
    for url in (queues.url, queues.dead_letter_url):
        sqs.send_message(QueueUrl=url, MessageBody=encode(other, queued))
    others: list[int] = []
    outcomes = [make_outcome(record) for record in (stored, dropped, queued, other)]
    insert_outcomes(query, *outcomes)
    filed, second = (make_outcome(record) for record in (dropped_too, other))
    [key_of_outcomes] = exports.put_outcomes(DAY, [outcomes[0], second, filed])
    waiting = make_outcome(stored)
    sqs.send_message(QueueUrl=queues.dead_letter_url, MessageBody=encode_outcomes(second, waiting))
    hold = ask("hold_add", subject=subject, **WHY)["hold"]
    # These keep a record, an outcome, and nothing of the subject.
    for scope in ({"caller": "show-me"}, {"starts": DAY, "ends": DAY}, {"caller": "another"}):
        others.append(ask("hold_add", **scope, **WHY)["hold"])
    query("INSERT INTO erasures (subject, reason, requested_by) VALUES (:subject, 'why', 'who')", subject=subject)
    pages = [ask("show", subject=subject)]
    while "next" in pages[-1]:
        pages.append(ask("show", subject=subject, after=pages[-1]["next"]))
    assert len(pages) == 1 if page_bytes > 1 else len(pages) > 4
    records = [record for page in pages for record in page["records"]]
    predictions = [batch["predictions"][place]["request_id"] for place in (0, 2)]
    assert [(record["place"], record["request_id"]) for record in records] == [
        ("table", str(stored.request_id)),
        *(("table", request_id) for request_id in sorted(predictions)),
        (key_of_file, str(dropped.request_id)),
        (key_of_file, str(dropped_too.request_id)),
    ]
    for record in (records[0], records[3]):
        assert record == record | {
            "bmi": 32.1,
            "sex": 2,
            "warnings": warned.warnings,
            "created_at": LONG_AGO.isoformat(),
        }
    keys = [one for page in pages for one in page["idempotency_keys"]]
    assert {(one["idempotency_key"], one["request_id"]) for one in keys} == {(key, batch["batch_id"])}
    last = pages[-1]
    places = [(message["place"], message["request_id"]) for message in last["messages"]]
    assert places == [("queue", str(queued.request_id)), ("dead letters", str(queued.request_id))]
    found = [(one["place"], one["outcome_id"]) for page in pages for one in page["outcomes"]]
    assert sorted(found) == sorted(
        [
            *(("table", str(outcome.outcome_id)) for outcome in outcomes[:3]),
            (key_of_outcomes, str(filed.outcome_id)),
            ("dead letters", str(waiting.outcome_id)),
        ]
    )
    [shown] = [one for page in pages for one in page["outcomes"] if one["outcome_id"] == str(filed.outcome_id)]
    assert (shown["value"], shown["reported_at"]) == (filed.value, filed.reported_at.isoformat())
    holds = {one["id"] for page in pages for one in page["holds"]}
    assert (last["unreadable_messages"], holds) == (0, {hold, *others[:2]})
    assert [one["reason"] for one in last["open_erasures"]] == ["why"]
    # The messages are there still, and can be received at once.
    assert queues.drain() == [encode(other, queued)]
    assert sorted(queues.drain_dead_letters()) == sorted([encode(other, queued), encode_outcomes(second, waiting)])
    query("DELETE FROM erasures WHERE subject = :subject", subject=subject)
    for number in (hold, *others):
        ask("hold_remove", hold=number, **BY)


def test_place_of_a_page_is_read_strictly(ask: Ask) -> None:
    assert ask("show", subject="a", after=["table", 1, 2]) == {"error": "after must be the next of another page"}


def test_state_of_the_records_is_told(stage: Stage, queues: Queues) -> None:
    maintain = stage.wire(DATABASE_STORAGE_GB="20", **queues.environment)

    def ask_status() -> dict[str, Any]:
        return dict(json.loads(json.dumps(maintain({"task": "status"}, Context()))))

    empty = ask_status()
    assert (empty["rows"], empty["oldest"], empty["newest"], empty["days_until_full"]) == (0, None, None, None)
    assert (empty["last_export"], empty["holds"], empty["open_erasures"]) == (None, [], [])
    assert empty["outcomes"] == {
        "rows": 0, "bytes": empty["outcomes"]["bytes"], "rows_last_day": 0, "last_export": None
    }  # fmt: skip
    now = datetime.now(UTC)
    oldest = make_record(created_at=now - timedelta(days=2))
    stage.insert([oldest, *(make_record(created_at=now - timedelta(minutes=n)) for n in range(200))])
    insert_outcomes(stage.query, *(make_outcome(make_record(), reported_at=now) for _ in range(50)), recorded_at=now)
    insert_outcomes(stage.query, *(make_outcome(make_record()) for _ in range(50)), recorded_at=now - timedelta(days=2))
    stage.query("ANALYZE predictions")
    stage.query("ANALYZE outcomes")
    maintain({"task": "hold_add", "caller": "ada", **WHY}, Context())
    stage.query("INSERT INTO erasures (subject, reason, requested_by) VALUES ('s', 'why', 'who')")
    stage.query("INSERT INTO exports (recorded_until, days, exported_rows) VALUES ('2026-03-01Z', 1, 2)")
    stage.query(
        "INSERT INTO exports (table_name, recorded_until, days, exported_rows) VALUES ('outcomes', '2026-03-02Z', 1, 3)"
    )
    status = ask_status()
    assert (status["rows"], status["rows_last_day"]) == (201, 200)
    assert datetime.fromisoformat(status["oldest"]) == oldest.created_at
    assert datetime.fromisoformat(status["newest"]) == now
    name = f"predictions_{now:%Y_%m}"
    assert name in [partition["name"] for partition in status["partitions"] if partition["bytes"] > 0]
    assert sum(partition["bytes"] for partition in status["partitions"]) == status["bytes"] < status["database_bytes"]
    outcomes = status["outcomes"]
    assert (outcomes["rows"], outcomes["rows_last_day"], outcomes["last_export"]["exported_rows"]) == (100, 50, 3)
    a_day = 200 * status["bytes"] / 201 + 50 * outcomes["bytes"] / 100
    expected = (20 * 2**30 - status["database_bytes"]) / a_day
    assert status["days_until_full"] == int(expected)
    assert status["last_export"]["exported_rows"] == 2
    assert len(status["holds"]) == 1
    [erasure] = status["open_erasures"]
    assert (erasure["requested_by"], "subject" in erasure) == ("who", False)
