"""The judgement of the drill: each way to break the promise is found in evidence that shows it."""

import dataclasses
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

import pytest

from lambda_app.http.schemas import EXAMPLE_REQUEST
from tests.faults.check import Evidence, check
from tests.faults.ledger import Answer, Asked, Attempt, Row
from tests.faults.witness import WitnessReport

NOW = datetime(2026, 11, 23, tzinfo=UTC)
ONE = Asked((EXAMPLE_REQUEST,), caller="somebody")
KEYED = dataclasses.replace(ONE, key="key")
BATCH = Asked((EXAMPLE_REQUEST, {**EXAMPLE_REQUEST, "age": 60.0}), is_batch=True)
REFUSAL: dict[str, Any] = {"status": 503, "record": None, "answers": (), "retry_after": "10"}


def make_answer(request_id: UUID) -> Answer:
    return Answer(request_id, 151.0, (60.5, 241.25, 0.9), "v1", NOW, ())


def make_attempt(asked: Asked = ONE, **changed: Any) -> Attempt:
    """A request that was answered."""
    attempt = Attempt(uuid4(), asked, "a fault", 0.1, 200, "database")
    attempt = dataclasses.replace(attempt, answers=tuple(make_answer(row_id) for row_id in attempt.row_ids))
    return dataclasses.replace(attempt, **changed)


def make_rows(attempt: Attempt) -> list[Row]:
    """What a request leaves in the table."""
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


def make_evidence(*attempts: Attempt, rows: list[Row] | None = None, **changed: Any) -> Evidence:
    """Of these requests, each of which left its rows, where no others are told."""
    own = [row for attempt in attempts for row in make_rows(attempt)]
    return Evidence(attempts, own if rows is None else rows, **changed)


def test_a_promise_kept_is_told_with_its_figures() -> None:
    first, batch = make_attempt(), make_attempt(BATCH, record="queue", seconds=2.25)
    keyed = make_attempt(KEYED)
    again = make_attempt(KEYED, answers=keyed.answers, replayed=True)
    committed = make_attempt(**REFUSAL)
    cut_off = make_attempt(status=None, record=None, answers=())
    planted = make_attempt()
    attempts = [first, batch, keyed, again, committed, cut_off]
    rows = [row for attempt in (first, batch, keyed, committed, planted) for row in make_rows(attempt)]
    evidence = Evidence(
        attempts,
        rows,
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
        "4 predictions answered: 4 stored, 0 lost, 0 twice; 1 rows without an answer; slowest request 2.2 s"
    )


def lose_a_row() -> Evidence:
    return make_evidence(make_attempt(), rows=[])


def lose_a_row_of_a_batch() -> Evidence:
    attempt = make_attempt(BATCH, record="queue")
    return make_evidence(attempt, rows=make_rows(attempt)[:1])


def lose_a_planted_record() -> Evidence:
    return make_evidence(planted=frozenset({uuid4()}))


def lose_a_message(*, deleted: bool) -> Evidence:
    attempt = make_attempt(record="queue")
    accepted = {"first": [attempt.request_id], "second": [attempt.request_id], "another": [uuid4()]}
    gone = frozenset({"second", "another"} if deleted else {"another"})
    return make_evidence(attempt, rows=[], witness_report=WitnessReport(accepted, gone))


def lose_in_the_replayer() -> Evidence:
    return lose_a_message(deleted=True)


def lose_in_the_queue() -> Evidence:
    return lose_a_message(deleted=False)


def forget_a_message() -> Evidence:
    """One whose record was stored nevertheless, or was never answered for."""
    return make_evidence(
        make_attempt(), witness_report=WitnessReport({"kept": [], "a message": [uuid4()]}, frozenset({"kept"}))
    )


def revive_a_message() -> Evidence:
    return make_evidence(witness_report=WitnessReport(revived=frozenset({"a message"})))


def store_a_row_twice() -> Evidence:
    attempt = make_attempt()
    return make_evidence(attempt, rows=make_rows(attempt) * 2)


def store_a_key_twice() -> Evidence:
    first = make_attempt(KEYED, **REFUSAL)
    return make_evidence(first, make_attempt(KEYED))


def store_a_place_twice() -> Evidence:
    attempt = make_attempt(BATCH)
    rows = make_rows(attempt)
    return make_evidence(attempt, rows=[rows[0], dataclasses.replace(rows[1], batch_index=0)])


def store_a_strange_row() -> Evidence:
    return make_evidence(make_attempt(), rows=make_rows(make_attempt()))


def store_after_a_refused_input() -> Evidence:
    return make_evidence(make_attempt(status=422, record=None, answers=()))


def answer_with_another_prediction() -> Evidence:
    attempt = make_attempt()
    other = dataclasses.replace(attempt.answers[0], prediction=151.5)
    return make_evidence(dataclasses.replace(attempt, answers=(other,)), rows=make_rows(attempt))


def store_another_patient() -> Evidence:
    attempt = make_attempt()
    [row] = make_rows(attempt)
    return make_evidence(attempt, rows=[dataclasses.replace(row, patient={**row.patient, "age": 1.0})])


def store_another_caller() -> Evidence:
    attempt = make_attempt()
    [row] = make_rows(attempt)
    return make_evidence(attempt, rows=[dataclasses.replace(row, caller="somebody else")])


def swap_the_rows_of_a_batch() -> Evidence:
    attempt = make_attempt(BATCH)
    return make_evidence(dataclasses.replace(attempt, answers=attempt.answers[::-1]))


def answer_with_the_row_of_another() -> Evidence:
    other = make_attempt()
    return make_evidence(other, make_attempt(answers=other.answers))


def answer_without_a_key_as_before() -> Evidence:
    return make_evidence(make_attempt(replayed=True, answers=(make_answer(uuid4()),)))


def answer_a_key_in_two_ways() -> Evidence:
    first = make_attempt(KEYED)
    other = make_attempt(KEYED, replayed=True)
    return make_evidence(first, other, rows=make_rows(first))


def answer_a_key_by_the_queue() -> Evidence:
    return make_evidence(make_attempt(KEYED, record="queue"))


def refuse_without_retry_after() -> Evidence:
    return make_evidence(make_attempt(**{**REFUSAL, "retry_after": None}))


def refuse_with_a_prediction() -> Evidence:
    return make_evidence(make_attempt(**{**REFUSAL, "answers": (make_answer(uuid4()),)}))


def fail() -> Evidence:
    return make_evidence(make_attempt(**{**REFUSAL, "status": 500}), rows=[])


def answer_without_saying_where() -> Evidence:
    return make_evidence(make_attempt(record=None))


def answer_slowly() -> Evidence:
    return make_evidence(make_attempt(seconds=10.0))


def lose_a_dead_letter() -> Evidence:
    return make_evidence(unstorable=frozenset({"junk"}))


def bury_a_good_record() -> Evidence:
    return make_evidence(dead_letters=frozenset({"an id"}))


def leave_a_message() -> Evidence:
    return make_evidence(waiting=1)


def die() -> Evidence:
    return make_evidence(deaths=1)


def miss_a_fault() -> Evidence:
    return make_evidence(make_attempt(), shows={"a fault": frozenset({"queue"})})


def miss_an_event() -> Evidence:
    return make_evidence(events={"deaths": 0})


@pytest.mark.parametrize(
    ("make", "finding"),
    [
        (lose_a_row, "1 answered but not stored, lost by the service: "),
        (lose_a_row_of_a_batch, "1 answered but not stored, lost by the service: "),
        (lose_a_planted_record, "1 answered but not stored, lost by the service: "),
        (lose_in_the_replayer, "1 answered but not stored, lost by the replayer: "),
        (lose_in_the_queue, "1 answered but not stored, lost by the stand-in for SQS: "),
        (forget_a_message, "1 accepted, but forgotten by the stand-in for SQS: a message"),
        (revive_a_message, "1 deleted, but handed out again by the stand-in for SQS: a message"),
        (store_a_row_twice, "1 stored twice"),
        (store_a_key_twice, "1 stored twice"),
        (store_a_place_twice, "1 stored twice"),
        (store_a_strange_row, "1 stored but never asked for"),
        (store_after_a_refused_input, "1 stored without an answer, though the client got no error"),
        (answer_with_another_prediction, "1 stored otherwise than answered"),
        (store_another_patient, "1 stored otherwise than asked"),
        (store_another_caller, "1 stored otherwise than asked"),
        (swap_the_rows_of_a_batch, "1 answered for other rows than its own"),
        (answer_with_the_row_of_another, "1 answered for other rows than its own"),
        (answer_without_a_key_as_before, "1 answered for other rows than its own"),
        (answer_a_key_in_two_ways, "1 answered twice and differently for one key"),
        (answer_a_key_by_the_queue, "1 neither a proper 200 nor a proper 503"),
        (refuse_without_retry_after, "1 neither a proper 200 nor a proper 503"),
        (refuse_with_a_prediction, "1 neither a proper 200 nor a proper 503"),
        (fail, "1 neither a proper 200 nor a proper 503"),
        (answer_without_saying_where, "1 neither a proper 200 nor a proper 503"),
        (answer_slowly, "1 took 10 s or more"),
        (lose_a_dead_letter, "1 unstorable, but not in the dead-letter queue: junk"),
        (bury_a_good_record, "1 in the dead-letter queue, but storable: an id"),
        (leave_a_message, "1 still in the queue"),
        (die, "1 ended by itself"),
        (miss_a_fault, "1 did not happen, so that nothing is proved: queue during: a fault"),
        (miss_an_event, "1 did not happen, so that nothing is proved: deaths"),
    ],
    ids=lambda value: value.__name__ if callable(value) else "",
)
def test_a_broken_promise_is_found(make: Callable[[], Evidence], finding: str) -> None:
    broken = check(make()).broken
    assert [line for line in broken if line.startswith(finding)], broken
