"""The verdict of the drill: each way to break the promise is found in evidence that shows it."""

import dataclasses
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest

from lambda_app.http.schemas import EXAMPLE_REQUEST
from lambda_app.model.predictor import Interval, Prediction
from tests.faults.check import check
from tests.faults.evidence import Evidence
from tests.faults.ledger import Answer, Asked, Attempt, Row, Told
from tests.faults.versions import NEAR, Named, Predict
from tests.faults.witness import WitnessReport

NOW = datetime(2026, 11, 23, tzinfo=UTC)
ONE = Asked((EXAMPLE_REQUEST,), caller="somebody")
KEYED = dataclasses.replace(ONE, key="key")
BATCH = Asked((EXAMPLE_REQUEST, {**EXAMPLE_REQUEST, "age": 60.0}), is_batch=True)
REFUSAL: dict[str, Any] = {"status": 503, "record": None, "answers": (), "retry_after": "10"}


def make_answer(request_id: UUID) -> Answer:
    return Answer(request_id, 151.0, (60.5, 241.25, 0.9), "v1", NOW, ())


def make_attempt(asked: Asked = ONE, **changed: Any) -> Attempt:
    """Return a request that was answered."""
    attempt = Attempt(uuid4(), asked, "a fault", 0.1, 200, "database")
    attempt = dataclasses.replace(attempt, answers=tuple(make_answer(row_id) for row_id in attempt.row_ids))
    return dataclasses.replace(attempt, **changed)


def make_rows(attempt: Attempt) -> list[Row]:
    """Return the rows that a request leaves in the table."""
    batch_id = attempt.request_id if attempt.asked.is_batch else None
    return [
        Row(
            make_answer(row_id),
            attempt.asked.patients[index],
            attempt.asked.caller,
            batch_id,
            index if attempt.asked.is_batch else None,
        )
        for index, row_id in enumerate(attempt.row_ids)
    ]


def answer_always(value: float) -> Predict:
    return lambda patients: [Prediction(value, Interval(60.5, 241.25, 0.9), ()) for _ in patients]


MODELS: Mapping[str, Predict] = {"v1": answer_always(151.0), "v2": answer_always(170.0)}
NAMED = [Named(NOW - timedelta(days=1), frozenset({"v1"}))]


def make_evidence(*attempts: Attempt, rows: list[Row] | None = None, **changed: Any) -> Evidence:
    """Return the evidence of these requests. Each left its rows, unless others are given."""
    own = [row for attempt in attempts for row in make_rows(attempt)]
    return Evidence(attempts, own if rows is None else rows, **{"named": NAMED, "models": MODELS, **changed})


def test_a_promise_kept_is_told_with_its_figures() -> None:
    first, batch = make_attempt(), make_attempt(BATCH, record="queue", seconds=2.25)
    keyed = make_attempt(KEYED)
    again = make_attempt(KEYED, answers=keyed.answers, replayed=True)
    committed = make_attempt(**REFUSAL)
    cut_off = make_attempt(status=None, record=None, answers=())
    planted = make_attempt()
    attempts = [first, batch, keyed, again, committed, cut_off]
    rows = [row for attempt in (first, batch, keyed, committed, planted) for row in make_rows(attempt)]
    evidence = make_evidence(
        *attempts,
        rows=rows,
        planted=frozenset({planted.request_id}),
        unstorable=frozenset({"junk"}),
        dead_letters=frozenset({"junk"}),
        shows={"a fault": frozenset({"database", "queue", "refused", "died"})},
        events={"deaths": 1},
    )
    verdict = check(evidence)
    assert verdict.broken == []
    assert verdict.figures == (
        "6 requests: 4 answered (2 recorded by the database, 1 by the queue, 1 earlier answers), 1 refused, 1 cut off; "
        "4 predictions answered: 4 stored, 0 lost, 0 twice, 0 of a wrong version; "
        "1 rows without an answer; slowest request 2.2 s"
    )


FIRST, ANOTHER, QUEUED, KEY_USED = make_attempt(), make_attempt(), make_attempt(record="queue"), make_attempt(KEYED)
BATCHED = make_attempt(BATCH)
[ROW] = make_rows(FIRST)
BATCH_ROWS = make_rows(BATCHED)
TWO_MESSAGES = {"first": QUEUED.row_ids, "second": QUEUED.row_ids, "another": [uuid4()]}
FORGOTTEN = WitnessReport({"kept": [], "a message": [uuid4()]}, frozenset({"kept"}))


def lose_message(deleted: set[str]) -> Evidence:
    """Return the evidence of a lost record that SQS accepted in two messages, some of which were deleted."""
    return make_evidence(QUEUED, rows=[], witness_report=WitnessReport(TWO_MESSAGES, frozenset(deleted)))


def change_row(named: Sequence[Named] = NAMED, **changed: Any) -> Evidence:
    return make_evidence(FIRST, rows=[dataclasses.replace(ROW, **changed)], named=named)


def refuse(**changed: Any) -> Evidence:
    return make_evidence(make_attempt(**{**REFUSAL, **changed}))


SHADOW = Told("v2", 170.0, (60.5, 241.25, 0.9))
TRIED = [*NAMED, Named(NOW - timedelta(hours=1), frozenset({"v1"}), "v2")]


def point_to(version: str, before: timedelta) -> list[Named]:
    """Return the story of a pointer that names another version since a time before the answers."""
    return [*NAMED, Named(NOW - before, frozenset({version}))]


LOST = "answered but not stored, lost by"
IMPROPER = "neither a proper 200 nor a proper 503"
UNPROVED = "did not happen, so that nothing is proved"
# Each finding with the evidence in which it must be found.
BROKEN = {
    f"{LOST} the service: ": [
        make_evidence(FIRST, rows=[]),
        make_evidence(BATCHED, rows=BATCH_ROWS[:1]),
        make_evidence(planted=frozenset({uuid4()})),
    ],
    f"{LOST} the replayer: ": [lose_message({"second", "another"})],
    f"{LOST} the stand-in for SQS: ": [lose_message({"another"})],
    "accepted, but forgotten by the stand-in for SQS: a message": [make_evidence(FIRST, witness_report=FORGOTTEN)],
    "deleted, but handed out again by the stand-in for SQS: a message": [
        make_evidence(witness_report=WitnessReport(revived=frozenset({"a message"})))
    ],
    "stored twice": [
        make_evidence(FIRST, rows=[ROW, ROW]),
        make_evidence(make_attempt(KEYED, **REFUSAL), KEY_USED),
        make_evidence(BATCHED, rows=[BATCH_ROWS[0], dataclasses.replace(BATCH_ROWS[1], batch_index=0)]),
    ],
    "stored but never asked for": [make_evidence(FIRST, rows=make_rows(ANOTHER))],
    "stored without an answer, though the client got no error": [refuse(status=422)],
    "stored otherwise than answered": [change_row(answer=dataclasses.replace(ROW.answer, prediction=151.5))],
    "stored otherwise than asked": [
        change_row(patient={**ROW.patient, "age": 1.0}),
        change_row(caller="somebody else"),
    ],
    "of a version that the pointer did not name": [
        make_evidence(FIRST, named=point_to("v2", NEAR)),
        make_evidence(FIRST, named=[Named(NOW + timedelta(seconds=1), frozenset({"v1"}))]),
        change_row(shadow=SHADOW),
    ],
    "predicted otherwise than by its version": [
        make_evidence(FIRST, models={"v1": answer_always(151.01)}),
        make_evidence(FIRST, models={}),
        change_row(TRIED, shadow=dataclasses.replace(SHADOW, prediction=151.0)),
        change_row(TRIED, shadow=dataclasses.replace(SHADOW, interval=(60.5, 241.25, None))),
    ],
    "answered for other rows than its own": [
        make_evidence(dataclasses.replace(BATCHED, answers=BATCHED.answers[::-1])),
        make_evidence(FIRST, make_attempt(answers=FIRST.answers)),
        make_evidence(make_attempt(replayed=True, answers=(make_answer(uuid4()),))),
    ],
    "answered twice and differently for one key": [
        make_evidence(KEY_USED, make_attempt(KEYED, replayed=True), rows=make_rows(KEY_USED))
    ],
    IMPROPER: [
        make_evidence(make_attempt(KEYED, record="queue")),
        make_evidence(make_attempt(record=None)),
        refuse(retry_after=None),
        refuse(answers=(make_answer(uuid4()),)),
        refuse(status=500),
    ],
    "took 10 s or more": [make_evidence(make_attempt(seconds=10.0))],
    "unstorable, but not in the dead-letter queue: junk": [make_evidence(unstorable=frozenset({"junk"}))],
    "in the dead-letter queue, but storable: an id": [make_evidence(dead_letters=frozenset({"an id"}))],
    "still in the queue": [make_evidence(waiting=1)],
    "ended by itself": [make_evidence(deaths=1)],
    f"{UNPROVED}: queue during: a fault": [make_evidence(FIRST, shows={"a fault": frozenset({"queue"})})],
    f"{UNPROVED}: deaths": [make_evidence(events={"deaths": 0})],
}


def test_a_switch_just_before_and_a_shadow_that_is_named_break_nothing() -> None:
    assert check(make_evidence(FIRST, named=point_to("v2", NEAR - timedelta(seconds=1)))).broken == []
    assert check(make_evidence(FIRST, named=TRIED)).broken == []
    assert check(change_row(TRIED, shadow=SHADOW)).broken == []


@pytest.mark.parametrize(
    ("finding", "evidence"), [(finding, evidence) for finding, cases in BROKEN.items() for evidence in cases]
)
def test_a_broken_promise_is_found(finding: str, evidence: Evidence) -> None:
    broken = check(evidence).broken
    assert [line for line in broken if line.startswith(f"1 {finding}")], broken
