"""The drill of a candidate: shadow, canary, promotion and broken pointers take turns while environments answer."""

import asyncio
import json
import random
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from uuid import UUID

import pytest

from lambda_app.http.schemas import EXAMPLE_REQUEST
from lambda_app.telemetry import LambdaHandler
from tests.bundles import Registry
from tests.functional.candidates import CANDIDATE, shift
from tests.functional.helpers import Query, Wire, post

ENVIRONMENTS = 3
SWITCHES = 24
REFRESH_SECONDS = 1.0
BROKEN = "20990101T000000Z-0000000b"


@dataclass(frozen=True)
class Answer:
    """One prediction with the times of its request."""

    environment: int
    began_at: float
    ended_at: float
    request_id: str
    version: str
    prediction: float
    subject: str


@dataclass(frozen=True)
class State:
    """A pointer and its time, with the versions that may answer, and the one that may be a shadow."""

    began_at: float
    ended_at: float
    answering: frozenset[str]
    shadow: str | None


def list_pointers(registry: Registry) -> dict[str, tuple[Callable[[], object], frozenset[str], str | None]]:
    """The pointers that take turns, each with the versions that may answer, and the shadow."""
    old = registry.version
    only_old, only_new, both = frozenset({old}), frozenset({CANDIDATE}), frozenset({old, CANDIDATE})
    return {
        "none": (registry.point, only_old, None),
        "shadow": (lambda: registry.point(candidate=CANDIDATE), only_old, CANDIDATE),
        "canary": (lambda: registry.point(candidate=CANDIDATE, mode="canary", share=0.5), both, None),
        "all": (lambda: registry.point(candidate=CANDIDATE, mode="canary"), only_new, None),
        "promoted": (lambda: registry.point(CANDIDATE), only_new, None),
        "returned": (lambda: registry.point(CANDIDATE, candidate=old, mode="canary", share=0.5), both, None),
        "unreadable candidate": (lambda: registry.point(candidate=CANDIDATE, share=7), only_old, None),
        "broken shadow": (lambda: registry.point(candidate=BROKEN), only_old, None),
        "broken canary": (lambda: registry.point(candidate=BROKEN, mode="canary"), only_old, None),
    }


def send_traffic(number: int, api: LambdaHandler, stop: threading.Event) -> list[Answer]:
    """Ask for one patient and for batches by turns until the end; every answer must be a 200."""
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    chance = random.Random(number)
    answers: list[Answer] = []
    while not stop.is_set():
        subjects = [f"patient-{chance.randrange(30)}" for _ in range(chance.choice((1, 1, 4)))]
        patients = [{**EXAMPLE_REQUEST, "subject": subject} for subject in subjects]
        path, body = ("/predict", patients[0]) if len(patients) == 1 else ("/predict/batch", {"patients": patients})
        began_at = time.monotonic()
        answer = post(api, path, body)
        ended_at = time.monotonic()
        assert answer["statusCode"] == 200, answer
        for one in answer["body"].get("predictions", [answer["body"]]):
            told = (one["request_id"], one["model_version"], one["prediction"], one["subject"])
            answers.append(Answer(number, began_at, ended_at, *told))
    loop.close()
    return answers


def find_states(answer: Answer, answers: list[Answer], states: list[State]) -> list[State]:
    """The pointers that the environment may have followed: one that was there since the start of its last refresh."""
    since = min(
        other.began_at
        for other in answers
        if other.environment == answer.environment
        and other.began_at <= answer.began_at
        and other.ended_at >= answer.began_at - REFRESH_SECONDS
    )
    return [state for state in states if state.began_at <= answer.ended_at and state.ended_at >= since]


def test_no_answer_is_lost_or_of_a_wrong_version_while_the_pointer_changes(
    wire: Wire, registry: Registry, query: Query
) -> None:
    registry.add_version(CANDIDATE, scaler=shift)
    registry.add_version(BROKEN)
    registry.write(f"models/{BROKEN}/model.tflite", b"not a model")
    predictions = {registry.version: registry.load().predict([EXAMPLE_REQUEST])[0].value}
    registry.point(CANDIDATE)
    predictions[CANDIDATE] = registry.load().predict([EXAMPLE_REQUEST])[0].value
    registry.point()
    apis = [wire(MODEL_BUCKET=registry.bucket, MODEL_REFRESH_SECONDS="1") for _ in range(ENVIRONMENTS)]
    pointers = list_pointers(registry)
    chance = random.Random(19)
    names = [*pointers, *chance.choices([*pointers], k=SWITCHES - len(pointers))]
    chance.shuffle(names)
    stop = threading.Event()
    written: list[tuple[float, float, str]] = [(float("-inf"), float("-inf"), "none")]
    with ThreadPoolExecutor(ENVIRONMENTS) as threads:
        running = [threads.submit(send_traffic, number, api, stop) for number, api in enumerate(apis)]
        try:
            for name in names:
                began_at = time.monotonic()
                pointers[name][0]()
                written.append((began_at, time.monotonic(), name))
                time.sleep(chance.uniform(0.1, 1.5))
        finally:
            stop.set()
        answers = [answer for one in running for answer in one.result()]
    ends = [ended_at for _, ended_at, _ in written[1:]] + [float("inf")]
    states = [
        State(began_at, ended_at, *pointers[name][1:])
        for (began_at, _, name), ended_at in zip(written, ends, strict=True)
    ]
    ids = json.dumps([answer.request_id for answer in answers])
    rows = {
        str(row["request_id"]): row
        for [row] in query(
            "SELECT row_to_json(p) FROM predictions p WHERE request_id IN "
            "(SELECT CAST(json_array_elements_text(CAST(:ids AS json)) AS uuid))",
            ids=ids,
        )
    }
    assert len({UUID(answer.request_id) for answer in answers}) == len(answers) == len(rows)
    assert {answer.version for answer in answers} == {registry.version, CANDIDATE}
    assert {row["shadow_version"] for row in rows.values()} == {None, CANDIDATE}
    for answer in answers:
        row = rows[answer.request_id]
        assert (row["model_version"], row["prediction"]) == (answer.version, answer.prediction)
        assert answer.prediction == pytest.approx(predictions[answer.version], abs=1e-3)
        followed = find_states(answer, answers, states)
        assert answer.version in frozenset().union(*(state.answering for state in followed))
        if row["shadow_version"] is not None:
            assert row["shadow_version"] in {state.shadow for state in followed}
            assert row["shadow_prediction"] == pytest.approx(predictions[CANDIDATE], abs=1e-3)


def list_arms(answers: list[Answer]) -> dict[str, set[str]]:
    """The versions that each subject has met."""
    arms: dict[str, set[str]] = {}
    for answer in answers:
        arms.setdefault(answer.subject, set()).add(answer.version)
    return arms


def test_environments_agree_on_the_arm_of_each_subject(wire: Wire, registry: Registry) -> None:
    registry.add_version(CANDIDATE, scaler=shift)
    registry.point(candidate=CANDIDATE, mode="canary", share=0.3)
    apis = [wire(MODEL_BUCKET=registry.bucket, MODEL_REFRESH_SECONDS="1") for _ in range(ENVIRONMENTS)]
    stop = threading.Event()
    with ThreadPoolExecutor(ENVIRONMENTS) as threads:
        running = [threads.submit(send_traffic, number, api, stop) for number, api in enumerate(apis)]
        time.sleep(3)
        stop.set()
        arms = list_arms([answer for one in running for answer in one.result()])
    assert all(len(versions) == 1 for versions in arms.values())
    assert set().union(*arms.values()) == {registry.version, CANDIDATE}
