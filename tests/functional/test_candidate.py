"""A candidate beside the current model: recorded as a shadow, answering as a canary, and harmless whatever it does."""

import hashlib
import json
import re
import time
from collections.abc import Callable
from typing import Any
from uuid import uuid4

import pytest

from lambda_app.http.schemas import EXAMPLE_REQUEST
from lambda_app.model.bundle import POINTER_KEY, bundle_key
from lambda_app.telemetry import LambdaHandler
from tests.bundles import Registry
from tests.events import Context
from tests.functional.helpers import DEAD_DATABASE, Query, Queues, Wire, get, post, read_row
from tests.functional.test_observability import collect_metrics, read_lines
from tests.functional.test_replay import find_failures, make_event

CANDIDATE = "20990101T000000Z-00000002"
ANSWER = ("prediction", "interval", "warnings", "model_version")
SHADOW = ("version", "prediction", "lower", "upper", "coverage", "ms")
NO_SHADOW = {f"shadow_{name}": None for name in SHADOW}


def shift(scaler: dict[str, Any]) -> None:
    """Make the model answer otherwise, by what it takes for the mean of each feature."""
    scaler["mean"] = [mean * 0.98 for mean in scaler["mean"]]


@pytest.fixture
def trying(registry: Registry) -> Registry:
    """The promoted version, and another one that answers otherwise."""
    registry.add_version(CANDIDATE, scaler=shift)
    return registry


@pytest.fixture
def start(wire: Wire, trying: Registry) -> Callable[..., LambdaHandler]:
    def run(**changed: str) -> LambdaHandler:
        return wire(MODEL_BUCKET=trying.bucket, MODEL_REFRESH_SECONDS="1", **changed)

    return run


Start = Callable[..., LambdaHandler]


def ask(api: LambdaHandler, **given: Any) -> dict[str, Any]:
    answer = post(api, "/predict", EXAMPLE_REQUEST, **given)
    assert answer["statusCode"] == 200
    return dict(answer["body"])


def ask_batch(api: LambdaHandler, *subjects: str | None, **given: Any) -> dict[str, Any]:
    patients = [
        {**EXAMPLE_REQUEST, "bmi": 25 + index / 100, "subject": subject} for index, subject in enumerate(subjects)
    ]
    answer = post(api, "/predict/batch", {"patients": patients}, **given)
    assert answer["statusCode"] == 200
    return dict(answer["body"])


def pick(body: dict[str, Any]) -> dict[str, Any]:
    return {name: body[name] for name in ANSWER}


def read_shadow(query: Query, request_id: str) -> dict[str, Any]:
    return {name: value for name, value in read_row(query, request_id).items() if name.startswith("shadow_")}


def count(api: LambdaHandler, metric: str) -> dict[str, float]:
    """The values of a metric in /metrics, by the values of its labels but that of the environment."""
    values = {}
    for line in get(api, "/metrics")["body"].splitlines():
        if line.startswith(f"diabetes_{metric}_total"):
            labels = dict(re.findall(r'(\w+)="([^"]*)"', line))
            del labels["execution_environment"]
            values[" ".join(labels[name] for name in sorted(labels))] = float(line.rpartition(" ")[2])
    return values


def learn_answers(start: Start, trying: Registry) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the answers of the current model and of the candidate, each promoted alone."""
    trying.point()
    current = ask(start())
    trying.point(CANDIDATE)
    other = ask(start())
    assert current["prediction"] != other["prediction"]
    return pick(current), pick(other)


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
    for share, mode in ((1.0, "canary"), (0.01, "canary"), (1.0, "shadow")):
        trying.point(candidate=CANDIDATE, mode=mode, share=share)
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


def lose(registry: Registry, name: str) -> None:
    registry.client.delete_object(Bucket=registry.bucket, Key=bundle_key(CANDIDATE, name))


def overflow(scaler: dict[str, Any]) -> None:
    scaler["mean"][0], scaler["scale"][0] = EXAMPLE_REQUEST["age"], 1e-37


FAULTS: dict[str, tuple[Callable[[Registry], object], str]] = {
    "no manifest": (
        lambda registry: lose(registry, "manifest.json"),
        "manifest.json cannot be read from S3: NoSuchKey",
    ),
    "no network": (lambda registry: lose(registry, "model.tflite"), "model.tflite cannot be read from S3: NoSuchKey"),
    "another manifest": (
        lambda registry: registry.write(bundle_key(CANDIDATE, "manifest.json"), b"{}"),
        "manifest.json has another SHA-256 than was published; refused",
    ),
    "another file": (
        lambda registry: registry.write(bundle_key(CANDIDATE, "scaler.json"), b"{}"),
        "scaler.json has another SHA-256 than was published; refused",
    ),
}


@pytest.mark.parametrize("mode", ["shadow", "canary"])
@pytest.mark.parametrize("fault", FAULTS)
def test_candidate_that_cannot_be_loaded_changes_no_answer_and_is_counted(
    fault: str, mode: str, start: Start, trying: Registry, query: Query, capsys: pytest.CaptureFixture[str]
) -> None:
    before = pick(ask(start()))
    damage, reason = FAULTS[fault]
    trying.point(candidate=CANDIDATE, mode=mode)
    damage(trying)
    capsys.readouterr()
    api = start()
    answer = ask(api)
    assert pick(answer) == before
    assert read_shadow(query, answer["request_id"]) == NO_SHADOW
    [line] = [line for line in read_lines(capsys.readouterr().out) if line["message"] == "candidate failed"]
    assert line["candidate_version"] == CANDIDATE
    assert line["reason"].endswith(reason)
    assert count(api, "candidate_failures")[CANDIDATE] >= 1
    assert get(api, "/health")["statusCode"] == 200
    shown = get(api, "/model")["body"]["candidate"]
    assert (shown["model_version"], shown["fault"]) == (CANDIDATE, line["reason"])


@pytest.mark.parametrize("change", [{"mode": "all"}, {"share": 2}, {"salt": "x"}, {"version": "../x"}], ids=str)
def test_pointer_with_a_broken_candidate_is_followed_without_it(
    change: dict[str, Any], start: Start, trying: Registry, capsys: pytest.CaptureFixture[str]
) -> None:
    before = pick(ask(start()))
    trying.point(candidate=CANDIDATE, **change)
    capsys.readouterr()
    api = start()
    assert pick(ask(api)) == before
    lines = [line for line in read_lines(capsys.readouterr().out) if line["message"] == "candidate failed"]
    assert lines
    assert all(line["reason"].startswith("the candidate of models/current.json is not one: ") for line in lines)
    assert get(api, "/model")["body"]["candidate"] is None
    assert count(api, "candidate_failures")[""] >= 1


@pytest.mark.parametrize("mode", ["shadow", "canary"])
def test_candidate_without_a_finite_prediction_changes_no_answer(
    mode: str, start: Start, registry: Registry, query: Query
) -> None:
    api = start()
    patients = [{**EXAMPLE_REQUEST, "age": age} for age in (59, 70)]
    before = [pick(post(api, "/predict", patient)["body"]) for patient in patients]
    name = "20990101T000000Z-00000003"
    registry.add_version(name, scaler=overflow)
    registry.point(candidate=name, mode=mode)
    api = start()
    answers = [post(api, "/predict", patient)["body"] for patient in patients]
    assert pick(answers[1]) == before[1]
    assert read_shadow(query, answers[1]["request_id"]) == NO_SHADOW
    # It answers where it can.
    met = answers[0]["model_version"] == name or read_shadow(query, answers[0]["request_id"])["shadow_version"] == name
    assert met
    assert count(api, "candidate_failures") == {name: 1.0}


@pytest.mark.parametrize("mode", ["shadow", "canary"])
def test_slow_candidate_changes_no_answer_and_is_not_asked_again_until_the_pointer_changes(
    mode: str, start: Start, trying: Registry
) -> None:
    subjects = [None] * 1000
    trying.point()
    before = [one["prediction"] for one in ask_batch(start(), *subjects)["predictions"]]
    trying.point(candidate=CANDIDATE, mode=mode)
    # No machine predicts for a thousand in ten milliseconds.
    api = start(CANDIDATE_MAX_MS="1")
    body = ask_batch(api, *subjects)
    assert [one["prediction"] for one in body["predictions"]] == before
    assert body["model_version"] == trying.version
    for _ in range(3):
        assert ask(api)["model_version"] == trying.version
    assert count(api, "candidate_failures") == {CANDIDATE: 1.0}
    assert count(api, "shadow_predictions") == {}
    assert get(api, "/model")["body"]["candidate"]["fault"].endswith("more than CANDIDATE_MAX_MS")
    trying.point(candidate=CANDIDATE, mode=mode, share=0.999)
    time.sleep(1.1)
    ask(api)
    assert get(api, "/model")["body"]["candidate"] == {
        **{"model_version": CANDIDATE, "mode": mode, "share": 0.999, "fault": None},
    }


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
