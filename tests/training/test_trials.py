"""Trials of a candidate: what the pointer says, who is in the share, and two people or a broken candidate at once."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from lambda_app.model.bundle import POINTER_KEY, Candidate, parse_pointer, sha256_hex
from lambda_app.model.trial import is_chosen
from tests.bundles import DECISION, copy_bundle
from training.decision import Decision
from training.errors import RegistryError
from training.history import entry_key
from training.history_check import read_history
from training.pointer import Change
from training.promotion import abort_trial, promote_version, rollback_version, try_version
from training.registry import list_versions, publish_bundle

if TYPE_CHECKING:
    from types_boto3_s3 import S3Client

Act = Callable[["S3Client", str, Decision], Change | None]
ANNA = Decision("arn:aws:sts::123456789012:assumed-role/Publisher/anna", "it was first")
# Each leads from the base, which `set_up` makes, to a state of its own.
ACTIONS: dict[str, Act] = {
    "promote": lambda client, bucket, who: promote_version(client, bucket, "v3", who),
    "rollback": rollback_version,
    "shadow": lambda client, bucket, who: try_version(client, bucket, "v3", "shadow", 0.5, who),
    "canary": lambda client, bucket, who: try_version(client, bucket, "v2", "canary", 0.2, who),
    "abort": abort_trial,
}


@pytest.fixture
def registry(client: "S3Client", bucket: str, bundle: Path, tmp_path: Path) -> str:
    """A bucket with four versions of only what is served, of which none is current yet."""
    manifest = json.loads((bundle / "manifest.json").read_bytes())
    files = {name: manifest["files"][name] for name in ("model.tflite", "scaler.json", "interval.json")}
    for version in ("v0", "v1", "v2", "v3"):
        publish_bundle(client, bucket, copy_bundle(bundle, tmp_path, version=version, files=files))
    return bucket


def set_up(client: "S3Client", bucket: str) -> None:
    """Make v1 current, after v0, with v2 as a canary for 5 %."""
    promote_version(client, bucket, "v0", DECISION)
    promote_version(client, bucket, "v1", DECISION)
    try_version(client, bucket, "v2", "canary", 0.05, DECISION)


@pytest.fixture
def tried(client: "S3Client", registry: str) -> str:
    set_up(client, registry)
    return registry


def read_pointer(client: "S3Client", bucket: str) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(client.get_object(Bucket=bucket, Key=POINTER_KEY)["Body"].read())
    return document


def read_candidate(client: "S3Client", bucket: str) -> Candidate:
    """The candidate as the functions read it."""
    pointer = parse_pointer(client.get_object(Bucket=bucket, Key=POINTER_KEY)["Body"].read())
    assert pointer.candidate_fault is None
    assert pointer.candidate is not None
    return pointer.candidate


def rewrite_pointer(client: "S3Client", bucket: str, **changed: Any) -> None:
    content = json.dumps({**read_pointer(client, bucket), **changed}).encode()
    client.put_object(Bucket=bucket, Key=POINTER_KEY, Body=content)


def write_candidate(value: object) -> Callable[["S3Client", str], None]:
    return lambda client, bucket: rewrite_pointer(client, bucket, candidate=value)


def test_from_shadow_to_canary_to_current_and_back(client: "S3Client", registry: str) -> None:
    promote_version(client, registry, "v0", DECISION)
    promote_version(client, registry, "v1", DECISION)
    manifest = client.get_object(Bucket=registry, Key="models/v2/manifest.json")["Body"].read()
    salts = []
    for mode, share in (("shadow", 1.0), ("shadow", 0.2), ("canary", 0.05), ("canary", 0.2)):
        assert try_version(client, registry, "v2", mode, share, DECISION)  # type: ignore[arg-type]
        candidate = read_candidate(client, registry)
        salts.append(candidate.salt)
        assert candidate == Candidate("v2", sha256_hex(manifest), mode, share, salts[0])  # type: ignore[arg-type]
        pointer = read_pointer(client, registry)
        assert (pointer["version"], pointer["previous"]) == ("v1", "v0")
    promote_version(client, registry, "v2", DECISION)
    pointer = read_pointer(client, registry)
    assert (pointer["version"], pointer["previous"], pointer["candidate"]) == ("v2", "v1", None)
    rollback_version(client, registry, DECISION)
    pointer = read_pointer(client, registry)
    assert (pointer["version"], pointer["previous"], pointer["candidate"]) == ("v1", "v2", None)

    history = read_history(client, registry)
    assert history.faults == []
    assert history.carried_out == set(range(1, 9))
    assert [history.entries[number].action for number in range(1, 9)] == [
        *("promote", "promote", "shadow", "shadow", "canary", "canary", "promote", "rollback")
    ]
    # Another trial of it chooses others.
    try_version(client, registry, "v2", "canary", 0.2, DECISION)
    assert read_candidate(client, registry).salt != salts[0]


def test_who_is_in_a_small_share_is_in_a_larger_one(client: "S3Client", tried: str) -> None:
    few = read_candidate(client, tried)
    try_version(client, tried, "v2", "canary", 0.2, DECISION)
    many = read_candidate(client, tried)
    chosen = [{key for key in map(str, range(10_000)) if is_chosen(one, key)} for one in (few, many)]
    assert chosen[0] < chosen[1]
    # Six standard deviations.
    assert abs(len(chosen[0]) - 500) < 131
    assert abs(len(chosen[1]) - 2000) < 240


def test_nothing_is_written_where_it_is_so_already(client: "S3Client", tried: str) -> None:
    before = client.get_object(Bucket=tried, Key=POINTER_KEY)["ETag"]
    assert try_version(client, tried, "v2", "canary", 0.05, DECISION) is None
    assert client.get_object(Bucket=tried, Key=POINTER_KEY)["ETag"] == before
    assert abort_trial(client, tried, DECISION) is not None
    assert abort_trial(client, tried, DECISION) is None
    assert len(read_history(client, tried).entries) == 4


def test_the_current_version_again_ends_the_trial_and_leaves_the_one_before(client: "S3Client", tried: str) -> None:
    for is_aborted in (False, True):
        if is_aborted:
            assert abort_trial(client, tried, DECISION)
        else:
            assert promote_version(client, tried, "v1", DECISION)
        pointer = read_pointer(client, tried)
        assert (pointer["version"], pointer["previous"], pointer["candidate"]) == ("v1", "v0", None)
        try_version(client, tried, "v2", "shadow", 1.0, DECISION)
    assert read_history(client, tried).faults == []


def test_another_candidate_takes_the_place_with_a_salt_of_its_own(client: "S3Client", tried: str) -> None:
    first = read_candidate(client, tried)
    change = try_version(client, tried, "v3", "canary", 0.05, DECISION)
    assert change is not None
    assert change.before is not None
    assert change.before.candidate == {
        "version": "v2",
        "manifest_sha256": first.manifest_sha256,
        "mode": "canary",
        "share": 0.05,
        "salt": first.salt,
    }
    assert read_candidate(client, tried).salt != first.salt
    assert [(one.version, one.trial) for one in list_versions(client, tried) if one.trial] == [("v3", "canary for 5 %")]


def test_refused_is_the_current_version_and_one_that_is_not_whole(client: "S3Client", registry: str) -> None:
    with pytest.raises(
        RegistryError, match="no version is current yet: promote one, since a candidate is tried beside"
    ):
        try_version(client, registry, "v1", "shadow", 1.0, DECISION)
    with pytest.raises(RegistryError, match="no version is current yet: promote one"):
        abort_trial(client, registry, DECISION)
    promote_version(client, registry, "v1", DECISION)
    with pytest.raises(RegistryError, match="v1 is the current version: a candidate must be another one"):
        try_version(client, registry, "v1", "canary", 0.05, DECISION)
    with pytest.raises(RegistryError, match="there is no version 'v9'"):
        try_version(client, registry, "v9", "canary", 0.05, DECISION)
    client.delete_object(Bucket=registry, Key="models/v2/interval.json")
    with pytest.raises(RegistryError, match=r"v2 is not whole: interval\.json is missing; nothing was changed"):
        try_version(client, registry, "v2", "canary", 0.05, DECISION)
    assert read_pointer(client, registry)["candidate"] is None

    try_version(client, registry, "v3", "canary", 0.05, DECISION)
    with pytest.raises(RegistryError, match=r"none before it to go back to\. `abort` ends the trial of v3 as a canary"):
        rollback_version(client, registry, DECISION)


@pytest.mark.parametrize(
    ("name", "damage"),
    [
        ("manifest gone", lambda client, bucket: client.delete_object(Bucket=bucket, Key="models/v2/manifest.json")),
        (
            "manifest no object",
            lambda client, bucket: client.put_object(Bucket=bucket, Key="models/v2/manifest.json", Body=b"[1]"),
        ),
        *[("broken by hand", write_candidate(value)) for value in ({"share": 7}, {}, [], ["v2"], 0, "v2", True)],
    ],
)
def test_a_broken_candidate_can_be_given_up(
    client: "S3Client", tried: str, name: str, damage: Callable[["S3Client", str], object]
) -> None:
    damage(client, tried)
    assert abort_trial(client, tried, DECISION)
    pointer = read_pointer(client, tried)
    assert (pointer["version"], pointer["previous"], pointer["candidate"]) == ("v1", "v0", None)
    assert read_history(client, tried).entries[4].gates["rmse"] is None
    # What was written by hand stays in evidence.
    assert len(read_history(client, tried).faults) == (1 if name == "broken by hand" else 0)


@pytest.mark.parametrize("action", ACTIONS)
@pytest.mark.parametrize("moment", ["before the entry", "before the swap"])
def test_of_two_at_once_one_wins_and_the_other_is_told(
    connect: "Callable[[], S3Client]", registry: str, action: str, moment: str
) -> None:
    quick = connect()
    for other in sorted(ACTIONS.keys() - {action})[: 1 if moment == "before the entry" else None]:
        set_up(quick, registry)
        slow = connect()
        waiting = [other]

        def act_first(params: dict[str, str], waiting: list[str] = waiting, **_: object) -> None:
            if waiting and (params["Key"] == POINTER_KEY) == (moment == "before the swap"):
                ACTIONS[waiting.pop()](quick, registry, ANNA)

        slow.meta.events.register("provide-client-params.s3.PutObject", act_first)
        with pytest.raises(RegistryError) as lost:
            ACTIONS[action](slow, registry, DECISION)
        history = read_history(quick, registry)
        winner = history.entries[history.sequence]
        assert (winner.action, winner.who) == (other, ANNA.who)
        told = f"nothing was changed: {ANNA.who} moved the pointer meanwhile, by {other} at {winner.at}, "
        assert str(lost.value).startswith(f"{told}{winner.after.version} is current now")
        assert (", and tried is " in str(lost.value)) == (winner.after.candidate is not None)
        assert history.faults == []
        undone = [entry for number, entry in history.entries.items() if number not in history.carried_out]
        assert [entry.action for entry in undone if entry.from_sequence == winner.from_sequence] == [action]


@pytest.mark.parametrize("action", ACTIONS)
def test_a_change_that_is_killed_before_the_swap_blocks_nobody(
    connect: "Callable[[], S3Client]", tried: str, action: str
) -> None:
    killed, client = connect(), connect()

    def kill(params: dict[str, str], **_: object) -> None:
        if params["Key"] == POINTER_KEY:
            raise KeyboardInterrupt

    killed.meta.events.register("provide-client-params.s3.PutObject", kill)
    before = read_pointer(client, tried)
    with pytest.raises(KeyboardInterrupt):
        ACTIONS[action](killed, tried, DECISION)
    assert read_pointer(client, tried) == before
    for number, (other, act) in enumerate(ACTIONS.items(), start=5):
        if other in {"rollback", "abort"}:
            try_version(client, tried, "v2", "shadow", 0.5, DECISION)
        assert act(client, tried, DECISION), (number, other)
    history = read_history(client, tried)
    assert history.faults == []
    assert history.entries.keys() - history.carried_out == {4}
    assert history.entries[4].action == action


def promote_by_hand(client: "S3Client", bucket: str) -> None:
    candidate = read_pointer(client, bucket)["candidate"]
    rewrite_pointer(client, bucket, version="v2", manifest_sha256=candidate["manifest_sha256"], candidate=None)


def enlarge_the_share(client: "S3Client", bucket: str) -> None:
    rewrite_pointer(client, bucket, candidate={**read_pointer(client, bucket)["candidate"], "share": 0.5})


def enlarge_the_share_and_go_on(client: "S3Client", bucket: str) -> None:
    enlarge_the_share(client, bucket)
    abort_trial(client, bucket, DECISION)


def change_the_one_before(client: "S3Client", bucket: str) -> None:
    """A rollback would then serve what nobody promoted."""
    rewrite_pointer(client, bucket, previous="v3")


def rewrite_the_entry(client: "S3Client", bucket: str) -> None:
    entry = json.loads(client.get_object(Bucket=bucket, Key=entry_key(3))["Body"].read())
    entry["to"]["candidate"]["share"] = 0.01
    client.put_object(Bucket=bucket, Key=entry_key(3), Body=json.dumps(entry).encode())


def break_the_entry(client: "S3Client", bucket: str) -> None:
    entry = json.loads(client.get_object(Bucket=bucket, Key=entry_key(3))["Body"].read())
    entry["to"]["candidate"] = "v2"
    client.put_object(Bucket=bucket, Key=entry_key(3), Body=json.dumps(entry).encode())


@pytest.mark.parametrize(
    ("attack", "fault"),
    [
        (promote_by_hand, "current.json was changed without an entry after number 3"),
        (enlarge_the_share, "current.json was changed without an entry after number 3"),
        (enlarge_the_share_and_go_on, "current.json was changed without an entry between number 3 and 4"),
        (change_the_one_before, "current.json was changed without an entry after number 3"),
        (rewrite_the_entry, "00000003.json was altered: models/current.json has another digest of it"),
        (break_the_entry, "00000003.json is damaged: it is not an entry of the history"),
    ],
)
def test_a_trial_that_was_touched_is_found_out(
    client: "S3Client", tried: str, attack: Callable[["S3Client", str], None], fault: str
) -> None:
    assert read_history(client, tried).faults == []
    attack(client, tried)
    [found] = read_history(client, tried).faults
    assert fault in found


@pytest.mark.parametrize("action", ["promote", "rollback", "shadow"])
def test_a_candidate_that_is_none_hinders_no_change(client: "S3Client", tried: str, action: str) -> None:
    rewrite_pointer(client, tried, candidate=["v2"])
    change = ACTIONS[action](client, tried, DECISION)
    assert change is not None
    assert change.before is not None
    assert change.before.candidate == ["v2"]
    assert read_history(client, tried).faults == [
        "models/current.json was changed without an entry between number 3 and 4"
    ]
    assert [one.version for one in list_versions(client, tried) if one.trial] == ["v3"] * (action == "shadow")
