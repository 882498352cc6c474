"""A candidate that fails: each answer is as without it, and the failure is counted."""

import json
import time
from collections.abc import Callable
from typing import Any

import pytest

from lambda_app.http.schemas import EXAMPLE_REQUEST
from lambda_app.model.bundle import bundle_key, sha256_hex
from tests.bundles import Registry
from tests.functional.candidates import CANDIDATE, NO_SHADOW, Start, ask, ask_batch, count, overflow, pick, read_shadow
from tests.functional.helpers import Query, get, post
from tests.functional.test_observability import read_lines


def lose(registry: Registry, name: str) -> None:
    registry.client.delete_object(Bucket=registry.bucket, Key=bundle_key(CANDIDATE, name))


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


# What was published so: its digests are right.
PUBLISHED: dict[str, tuple[str, Callable[[bytes], bytes], str]] = {
    "cut network": ("model.tflite", lambda content: content[: len(content) // 2], " cannot be loaded: "),
    "no network": ("model.tflite", lambda content: bytes(len(content)), " cannot be loaded: "),
    "interval of one fold": (
        "interval.json",
        lambda content: json.dumps({**json.loads(content), "folds": json.loads(content)["folds"][:1]}).encode(),
        " cannot be loaded: ",
    ),
    "other features": (
        "manifest.json",
        lambda content: json.dumps({**json.loads(content), "features": json.loads(content)["features"][1:]}).encode(),
        "manifest.json was trained on the features ",
    ),
}


@pytest.mark.parametrize("mode", ["shadow", "canary"])
@pytest.mark.parametrize("fault", PUBLISHED)
def test_candidate_that_was_published_broken_changes_no_answer_and_is_counted(
    fault: str, mode: str, start: Start, trying: Registry, query: Query
) -> None:
    name, damage, reason = PUBLISHED[fault]
    before = pick(ask(start()))
    content = damage(trying.read(bundle_key(CANDIDATE, name)))
    trying.write(bundle_key(CANDIDATE, name), content)
    if name != "manifest.json":
        manifest = json.loads(trying.read(bundle_key(CANDIDATE, "manifest.json")))
        manifest["files"][name] = {"size": len(content), "sha256": sha256_hex(content)}
        trying.write(bundle_key(CANDIDATE, "manifest.json"), json.dumps(manifest).encode())
    trying.point(candidate=CANDIDATE, mode=mode)
    api = start()
    answer = ask(api)
    assert pick(answer) == before
    assert read_shadow(query, answer["request_id"]) == NO_SHADOW
    assert reason in get(api, "/model")["body"]["candidate"]["fault"]
    assert count(api, "candidate_failures")[CANDIDATE] >= 1


@pytest.mark.parametrize("mode", ["shadow", "canary"])
@pytest.mark.parametrize("changed", [{}, {"manifest_sha256": "0" * 64}], ids=["itself", "another manifest"])
def test_candidate_of_the_current_name_is_not_tried(
    changed: dict[str, str], mode: str, start: Start, trying: Registry, query: Query
) -> None:
    before = pick(ask(start()))
    trying.point(candidate=trying.version, mode=mode, **changed)
    api = start()
    answer = ask(api)
    assert pick(answer) == before
    assert read_shadow(query, answer["request_id"]) == NO_SHADOW
    assert count(api, "candidate_failures")[""] >= 1
    assert get(api, "/model")["body"]["candidate"] is None


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
    # Before another answer, which a busy machine might make slow as well.
    assert get(api, "/model")["body"]["candidate"] == {
        **{"model_version": CANDIDATE, "mode": mode, "share": 0.999, "fault": None},
    }
