"""The JSON files of a bundle are read strictly: anything damaged is refused."""

import copy
import json
import math
from collections.abc import Callable
from typing import Any

import pytest

from lambda_app.errors import BundleError
from lambda_app.model.bundle import (
    Candidate,
    FileEntry,
    Manifest,
    Outcomes,
    Pointer,
    SeenFeature,
    parse_manifest,
    parse_pointer,
)
from lambda_app.model.interval import parse_calibration
from lambda_app.model.joint import JointLimit
from lambda_app.model.litert import LiteRtRuntime
from problem.table import TABLE

FEATURES = [{"name": name, "unit": "u", "minimum": 1, "maximum": 2.5, "median": 2} for name in TABLE.names]
JOINT = {"quantile": 0.99, "limit": 6.25, "mean": [2] * 10, "whitening": [[1] * 10]}
OUTCOMES = {"minimum": 25, "maximum": 59, "mean": 40.5, "bin_edges": [20, 40, 60], "counts": [1, 2]}
FOLD = {"lowest": 50, "highest": 300, "coefficients": [0.1, 20], "scores": [0.5, 1.5]}
SOUND: dict[str, dict[str, Any]] = {
    "current.json": {"version": "v1", "manifest_sha256": "ab", "previous": None},
    "manifest.json": {
        "version": "20261123T100000Z-0f3a9c1e",
        "features": FEATURES,
        "joint": JOINT,
        "outcomes": OUTCOMES,
        "libraries": {"keras": "3.15.1"},
        "files": {"model.tflite": {"size": 3, "sha256": "ab"}},
        "anything": "else",
    },
    "scaler.json": {"mean": [1.5] * 10, "scale": [2] * 10},
    "interval.json": {"coverage": 0.9, "folds": [FOLD, FOLD]},
}
READERS: dict[str, Callable[[bytes], object]] = {
    "current.json": parse_pointer,
    "manifest.json": parse_manifest,
    "scaler.json": lambda content: LiteRtRuntime({"scaler.json": content, "model.tflite": b""}),
    "interval.json": parse_calibration,
}

NO_COUNT: list[Any] = [None, True, "1", [1], {}, math.nan, math.inf, -1, 1.5]
NO_NUMBER: list[Any] = [None, True, "1", [1], {}, math.nan, -math.inf, 10**400]
NO_LIST: list[Any] = [None, {}, "123", 5]
# Wrong values by file and path.
DAMAGE: dict[str, dict[str, list[Any]]] = {
    "current.json": {"version": [1, "", "a/b", "../other"], "manifest_sha256": [None, 1, [], {}]},
    "manifest.json": {
        "version": [None, "a/b"],
        "features": [None],
        "features/0": [{"name": TABLE.names[0]}],
        "features/0/minimum": [*NO_NUMBER, 2.6],
        "features/0/maximum": NO_NUMBER,
        "features/0/median": NO_NUMBER,
        "joint": [None, *({key: JOINT[key] for key in JOINT if key != missing} for missing in JOINT)],
        "joint/quantile": [*NO_NUMBER, 0, 1],
        "joint/limit": [*NO_NUMBER, 0, -5],
        "joint/mean": [*NO_LIST, [2] * 9],
        "joint/mean/0": NO_NUMBER,
        "joint/whitening": [*NO_LIST, [], [1], [[1] * 11]],
        "joint/whitening/0/0": NO_NUMBER,
        "outcomes": [None, {}, OUTCOMES | {"bin_edges": [20], "counts": []}],
        "outcomes/mean": NO_NUMBER,
        "outcomes/bin_edges": [*NO_LIST, [20, 40], [20, 60, 40]],
        "outcomes/bin_edges/2": NO_NUMBER,
        "outcomes/counts/1": NO_COUNT,
        "libraries": [None, "keras"],
        "files": [[]],
        "files/model.tflite": [{"size": 3}],
        "files/model.tflite/size": NO_COUNT,
    },
    "scaler.json": {
        "mean": [*NO_LIST, [1.5] * 9, [[1.5] * 10]],
        "mean/9": NO_NUMBER,
        "scale": [*NO_LIST, [2] * 11],
        "scale/9": [*NO_NUMBER, 0, -2],
    },
    "interval.json": {
        "coverage": [*NO_NUMBER, 0, 0.49, 1, 90],
        "folds": [None, [1]],
        "folds/1/lowest": [*NO_NUMBER, 301],
        "folds/1/highest": NO_NUMBER,
        # The last two are below zero at the lower end, and about 175 alone.
        "folds/1/coefficients": [*NO_LIST, [], [0], [-1], [1e308, 1e308], [1, -51], [0.01, -3.5, 296.25]],
        "folds/1/coefficients/0": NO_NUMBER,
        "folds/1/scores": [*NO_LIST, []],
        "folds/1/scores/1": [*NO_NUMBER, -0.1],
    },
}


@pytest.mark.parametrize("file", SOUND)
@pytest.mark.parametrize("content", [b"", b"\xff", b"null", b"1", b"[]", b"{}", b'{"mean": [1]', b'{"a":' * 100_000])
def test_another_document_is_refused(file: str, content: bytes) -> None:
    with pytest.raises((BundleError, ValueError), match=f"{file} is not "):
        READERS[file](content)


@pytest.mark.parametrize(("file", "path"), [(file, path) for file, paths in DAMAGE.items() for path in paths])
def test_a_wrong_value_is_refused(file: str, path: str) -> None:
    for value in DAMAGE[file][path]:
        document = copy.deepcopy(SOUND[file])
        *parents, last = (int(step) if step.isdigit() else step for step in path.split("/"))
        part: Any = document
        for step in parents:
            part = part[step]
        part[last] = value
        with pytest.raises((BundleError, ValueError), match=f"{file} is not "):
            READERS[file](json.dumps(document).encode())


@pytest.mark.parametrize("features", [FEATURES[:-1], FEATURES[::-1], [*FEATURES, {**FEATURES[0], "name": "s7"}]])
def test_other_features_are_refused(features: list[dict[str, object]]) -> None:
    with pytest.raises(BundleError, match="trained on the features"):
        parse_manifest(json.dumps(SOUND["manifest.json"] | {"features": features}).encode())


def test_a_pointer_is_read() -> None:
    assert parse_pointer(json.dumps(SOUND["current.json"]).encode()) == Pointer("v1", "ab")


CANDIDATE = {"version": "v2", "manifest_sha256": "cd", "mode": "canary", "share": 0.05, "salt": "0123456789abcdef"}


def test_a_pointer_with_a_candidate_is_read() -> None:
    content = json.dumps(SOUND["current.json"] | {"candidate": CANDIDATE, "sequence": 7, "history_sha256": "ef"})
    assert parse_pointer(content.encode()) == Pointer(
        "v1", "ab", Candidate("v2", "cd", "canary", 0.05, "0123456789abcdef")
    )
    assert parse_pointer(json.dumps(SOUND["current.json"] | {"candidate": None}).encode()) == Pointer("v1", "ab")


NO_TEXT: list[Any] = [None, 1, []]


@pytest.mark.parametrize(
    "candidate",
    [
        *(1, [], "v2", True, {}),
        *({name: value for name, value in CANDIDATE.items() if name != missing} for missing in CANDIDATE),
        # Records could not tell the candidate from the current version by the name of the latter.
        *({**CANDIDATE, "version": value} for value in (*NO_TEXT, "", "../v2", "v1")),
        *({**CANDIDATE, "manifest_sha256": value} for value in NO_TEXT),
        *({**CANDIDATE, "mode": value} for value in (*NO_TEXT, "", "all")),
        *({**CANDIDATE, "share": value} for value in (*NO_NUMBER, 0, -0.1, 1.01)),
        *({**CANDIDATE, "salt": value} for value in (None, 1, "", "0123", "0123456789ABCDEF", "0123456789abcdef0")),
    ],
    ids=str,
)
def test_a_broken_candidate_leaves_the_current_version(candidate: object) -> None:
    pointer = parse_pointer(json.dumps(SOUND["current.json"] | {"candidate": candidate}).encode())
    assert (pointer.version, pointer.manifest_sha256, pointer.candidate) == ("v1", "ab", None)
    assert pointer.candidate_fault is not None
    assert pointer.candidate_fault.startswith("the candidate of models/current.json is not one: ")


def test_a_manifest_is_read() -> None:
    assert parse_manifest(json.dumps(SOUND["manifest.json"]).encode()) == Manifest(
        "20261123T100000Z-0f3a9c1e",
        dict.fromkeys(TABLE.names, SeenFeature(1.0, 2.5, 2.0)),
        Outcomes(25.0, 59.0, 40.5, [20.0, 40.0, 60.0], [1, 2]),
        {"model.tflite": FileEntry(3, "ab")},
        JointLimit(0.99, 6.25, [2.0] * 10, [[1.0] * 10]),
        {"keras": "3.15.1"},
    )


def test_an_old_manifest_is_read_without_what_it_lacks() -> None:
    features = [{name: value for name, value in feature.items() if name != "median"} for feature in FEATURES]
    document = SOUND["manifest.json"] | {"features": features}
    for name in ("outcomes", "joint", "libraries"):
        del document[name]
    manifest = parse_manifest(json.dumps(document).encode())
    assert manifest.features == dict.fromkeys(TABLE.names, SeenFeature(1.0, 2.5, None))
    assert (manifest.outcomes, manifest.joint, manifest.libraries) == (None, None, {})


def test_a_calibration_is_read() -> None:
    calibration = parse_calibration(json.dumps(SOUND["interval.json"]).encode())
    assert calibration.coverage == 0.9
    assert [(fold.lowest, fold.highest) for fold in calibration.folds] == [(50, 300)] * 2
    # 0.1 * 100 + 20 = 30 is expected at 100, and the worst score is 1.5 of it.
    assert calibration.predict([100.0, 100.0]) == pytest.approx((55, 145))
