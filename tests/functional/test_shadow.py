"""A candidate as a shadow: recorded beside the answer, and never answered."""

import json
import time

import pytest

from lambda_app.model.bundle import POINTER_KEY
from tests.bundles import Registry
from tests.functional.candidates import (
    CANDIDATE,
    NO_SHADOW,
    Start,
    ask,
    ask_batch,
    count,
    learn_answers,
    pick,
    read_shadow,
)
from tests.functional.helpers import DEAD_DATABASE, Query, Queues, Wire, get
from tests.functional.test_observability import collect_metrics, read_lines
from tests.functional.test_replay import find_failures, make_event


def test_shadow_is_stored_with_the_record_and_not_answered(
    start: Start, trying: Registry, query: Query, capsys: pytest.CaptureFixture[str]
) -> None:
    current, other = learn_answers(start, trying)
    trying.point(candidate=CANDIDATE)
    api = start()
    capsys.readouterr()
    answer = ask(api)
    lines = read_lines(capsys.readouterr().out)
    assert pick(answer) == current
    stored = read_shadow(query, answer["request_id"])
    assert 0 < stored.pop("shadow_ms") < 250
    assert stored == {
        "shadow_version": CANDIDATE,
        "shadow_prediction": other["prediction"],
        **{f"shadow_{name}": value for name, value in other["interval"].items()},
    }
    assert "shadow" not in json.dumps(get(api, f"/predictions/{answer['request_id']}")["body"])
    metrics = collect_metrics(lines)
    assert (metrics["Predictions"], metrics["ShadowPredictions"], metrics["CandidatePredictions"]) == (
        [1.0],
        [1.0],
        [0.0],
    )
    assert metrics["ShadowDisagreements"] == [0.0]
    assert [line["candidate_version"] for line in lines if "candidate_version" in line] == [CANDIDATE]
    assert count(api, "predictions") == {f"database {trying.version}": 1.0}
    assert count(api, "shadow_predictions") == {f"{CANDIDATE} agrees": 1.0, f"{CANDIDATE} disagrees": 0.0}


def test_shadow_of_a_share_is_stored_for_those_it_met(start: Start, trying: Registry, query: Query) -> None:
    trying.point(candidate=CANDIDATE, share=0.4)
    body = ask_batch(start(), *(f"patient-{number}" for number in range(50)))
    assert body["model_version"] == trying.version
    shadows = [read_shadow(query, one["request_id"]) for one in body["predictions"]]
    met = [shadow for shadow in shadows if shadow != NO_SHADOW]
    assert 5 < len(met) < 40
    assert {shadow["shadow_version"] for shadow in met} == {CANDIDATE}
    assert len({shadow["shadow_ms"] for shadow in met}) == 1


def test_shadow_survives_the_queue(start: Start, trying: Registry, query: Query, wire: Wire, queues: Queues) -> None:
    _, other = learn_answers(start, trying)
    trying.point(candidate=CANDIDATE)
    answer = ask(start(**DEAD_DATABASE, **queues.environment))
    [body] = queues.drain()
    replay = wire("replay", **queues.environment)
    for _ in range(2):
        assert find_failures(replay, make_event(body)) == []
    assert queues.drain_dead_letters() == []
    stored = read_shadow(query, answer["request_id"])
    assert (stored["shadow_version"], stored["shadow_prediction"]) == (CANDIDATE, other["prediction"])


def test_model_says_what_is_tried(start: Start, trying: Registry) -> None:
    trying.point()
    api = start()
    assert get(api, "/model")["body"]["candidate"] is None
    trying.point(candidate=CANDIDATE, mode="canary", share=0.05)
    time.sleep(1.1)
    body = get(api, "/model")["body"]
    assert body["model_version"] == trying.version
    assert body["candidate"] == {"model_version": CANDIDATE, "mode": "canary", "share": 0.05, "fault": None}
    trying.client.delete_object(Bucket=trying.bucket, Key=POINTER_KEY)
    time.sleep(1.1)
    # What is loaded stays.
    assert get(api, "/model")["body"] == body
