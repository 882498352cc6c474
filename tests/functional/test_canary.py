"""A candidate in a canary: it answers for its share, and for the same subjects each time."""

import hashlib
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from typing import Any
from uuid import uuid4

import pytest

from lambda_app.http.schemas import EXAMPLE_REQUEST
from tests.bundles import Registry
from tests.events import Context
from tests.functional.candidates import (
    CANDIDATE,
    NO_SHADOW,
    Start,
    ask,
    ask_batch,
    count,
    learn_answers,
    pick,
)
from tests.functional.helpers import Query, get, post, read_row
from tests.functional.test_observability import read_lines


def test_canary_answers_for_its_share_and_a_subject_always_meets_the_same_model(
    start: Start, trying: Registry, query: Query
) -> None:
    current, other = learn_answers(start, trying)
    trying.point(candidate=CANDIDATE, mode="canary", share=0.5)
    first, second = start(), start()
    subjects = [f"patient-{number}" for number in range(12)]
    bodies = [post(first, "/predict", {**EXAMPLE_REQUEST, "subject": subject})["body"] for subject in subjects]
    assert {body["model_version"] for body in bodies} == {trying.version, CANDIDATE}
    for body in bodies:
        assert pick(body) == (other if body["model_version"] == CANDIDATE else current)
        row = read_row(query, body["request_id"])
        assert (row["model_version"], row["prediction"]) == (body["model_version"], body["prediction"])
        assert {name: row[name] for name in NO_SHADOW} == NO_SHADOW
    # Also in another environment, and in a batch.
    again = ask_batch(second, *subjects)
    assert again["model_version"] is None
    assert [one["model_version"] for one in again["predictions"]] == [body["model_version"] for body in bodies]
    for one in again["predictions"]:
        assert read_row(query, one["request_id"])["model_version"] == one["model_version"]
    answered = sum(body["model_version"] == CANDIDATE for body in bodies)
    counted = count(second, "predictions")
    assert counted[f"database {CANDIDATE}"] == answered
    assert counted[f"database {trying.version}"] == len(subjects) - answered


def test_line_of_a_request_counts_the_answers_of_each_version(
    start: Start, trying: Registry, capsys: pytest.CaptureFixture[str]
) -> None:
    def read_answers() -> dict[str, int]:
        [line] = [line for line in read_lines(capsys.readouterr().out) if line["message"] == "request"]
        assert len(line["answers"]) == len({answer["version"] for answer in line["answers"]})
        return {answer["version"]: answer["count"] for answer in line["answers"]}

    trying.point(candidate=CANDIDATE, mode="canary", share=0.5)
    api = start()
    ask(api)
    capsys.readouterr()
    body = ask_batch(api, *(f"patient-{number}" for number in range(12)))
    met = Counter(one["model_version"] for one in body["predictions"])
    assert read_answers() == met
    assert met.keys() == {trying.version, CANDIDATE}
    version = ask(api)["model_version"]
    assert read_answers() == {version: 1}


def test_batch_without_subjects_meets_one_model(start: Start, trying: Registry) -> None:
    trying.point(candidate=CANDIDATE, mode="canary", share=0.5)
    api = start()
    met = set()
    for _ in range(12):
        body = ask_batch(api, None, None, None)
        assert {one["model_version"] for one in body["predictions"]} == {body["model_version"]}
        met.add(body["model_version"])
    assert met == {trying.version, CANDIDATE}


@pytest.mark.parametrize("has_key", [True, False])
def test_repeated_request_gets_its_stored_answer_whatever_the_share_is_now(
    has_key: bool, start: Start, trying: Registry
) -> None:
    given: dict[str, Any] = {"idempotency_key": f'"{uuid4()}"'} if has_key else {"context": Context()}
    subjects = [f"patient-{number}" for number in range(12)]
    trying.point(candidate=CANDIDATE, mode="canary", share=0.5)
    first = ask_batch(start(), *subjects, **given)
    assert first["model_version"] is None
    changes: list[Callable[[], None]] = [
        *(
            partial(trying.point, candidate=CANDIDATE, mode=mode, share=share)
            for share, mode in ((1.0, "canary"), (0.01, "canary"), (1.0, "shadow"))
        ),
        # Aborted, promoted, and returned to what it was.
        trying.point,
        partial(trying.point, CANDIDATE),
        partial(trying.point, CANDIDATE, candidate=trying.version, mode="canary", share=0.5),
    ]
    for change in changes:
        change()
        api = start()
        assert ask_batch(api, *subjects, **given) == first
        if has_key:
            # An answer that was stored is nobody's prediction.
            assert count(api, "predictions") == count(api, "shadow_predictions") == {}


def find_key(*, is_chosen: bool) -> str:
    """A new Idempotency-Key whose digest with the salt is in the lower half, or in the upper one."""
    while True:
        key = f"visit-{uuid4()}"
        if (hashlib.sha256(f"0123456789abcdef{key}".encode()).hexdigest() < "8") == is_chosen:
            return key


def test_key_without_a_subject_chooses_the_model(start: Start, trying: Registry) -> None:
    trying.point(candidate=CANDIDATE, mode="canary", share=0.5)
    api = start()
    for is_chosen, version in ((True, CANDIDATE), (False, trying.version)):
        assert ask(api, idempotency_key=find_key(is_chosen=is_chosen))["model_version"] == version


def test_answer_of_the_candidate_is_looked_up_and_gets_its_outcome(
    start: Start, trying: Registry, query: Query
) -> None:
    trying.point(candidate=CANDIDATE, mode="canary")
    answer = ask(start())
    assert answer["model_version"] == CANDIDATE
    # Also after the trial.
    trying.point()
    api = start()
    outcome = {"request_id": answer["request_id"], "value": 140, "observed_at": datetime.now(UTC).isoformat()}
    assert post(api, "/outcomes", {"outcomes": [outcome]})["statusCode"] == 200
    found = get(api, f"/predictions/{answer['request_id']}")["body"]
    assert pick(found) == pick(answer)
    assert found["outcome"]["value"] == 140
    [[value]] = query("SELECT value FROM outcomes WHERE request_id = :id", id=answer["request_id"])
    assert value == 140
