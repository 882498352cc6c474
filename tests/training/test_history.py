"""The history of the pointer: an entry for every change, whoever interferes, and a proof that none was touched."""

import json
import re
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError

from lambda_app.model.bundle import POINTER_KEY, sha256_hex
from tests.bundles import DECISION, copy_bundle, name_versions
from training.decision import Decision
from training.errors import RegistryError
from training.history import entry_key
from training.history_check import History, read_history
from training.history_table import describe_proof
from training.promotion import promote_version, rollback_version
from training.registry import publish_bundle

if TYPE_CHECKING:
    from types_boto3_s3 import S3Client

OTHER = Decision("arn:aws:sts::123456789012:assumed-role/Publisher/anna", "it was better on the new ward")
VERSIONS = ("v1", "v2", "v3")


@pytest.fixture
def registry(client: "S3Client", bucket: str, bundle: Path, tmp_path: Path) -> str:
    """A bucket with three versions, of which none is current yet."""
    for version in VERSIONS:
        publish_bundle(client, bucket, copy_bundle(bundle, tmp_path, version=version))
    return bucket


@pytest.fixture
def told(client: "S3Client", registry: str) -> str:
    """A bucket with a history of four entries: v1, v2, back to v1, v3."""
    promote_version(client, registry, "v1", DECISION)
    promote_version(client, registry, "v2", OTHER)
    rollback_version(client, registry, DECISION)
    promote_version(client, registry, "v3", DECISION)
    return registry


def read(client: "S3Client", bucket: str, key: str) -> bytes:
    return client.get_object(Bucket=bucket, Key=key)["Body"].read()


def read_json(client: "S3Client", bucket: str, key: str) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(read(client, bucket, key))
    return document


def rewrite(client: "S3Client", bucket: str, key: str, **changed: Any) -> bytes:
    content = json.dumps({**read_json(client, bucket, key), **changed}).encode()
    client.put_object(Bucket=bucket, Key=key, Body=content)
    return content


def list_states(history: History) -> list[tuple[int, str, str, bool]]:
    return [
        (number, entry.action, entry.after.version, number in history.carried_out)
        for number, entry in sorted(history.entries.items())
    ]


def fail_put(client: "S3Client", key: str, error: BaseException) -> None:
    """Let the write of this key fail, without that it reaches S3."""

    def hook(params: dict[str, str], **_: object) -> None:
        if params["Key"] == key:
            raise error

    client.meta.events.register("provide-client-params.s3.PutObject", hook)


def test_an_entry_says_who_when_from_to_and_why(client: "S3Client", told: str, manifest: dict[str, Any]) -> None:
    first, second, third = (read_json(client, told, entry_key(number)) for number in (1, 2, 3))
    digests = {name: sha256_hex(read(client, told, f"models/{name}/manifest.json")) for name in VERSIONS}
    states = {name: {"version": name, "manifest_sha256": digests[name], "candidate": None} for name in VERSIONS}
    held_out = manifest["metrics"]["held_out"]
    gates = {name: held_out[name] for name in ("rmse", "r2", "coverage", "mean_width")} | {"forced": None}
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}\+00:00", second.pop("at"))
    assert second == {
        "sequence": 2,
        "who": OTHER.who,
        "action": "promote",
        "from": states["v1"],
        "from_sequence": 1,
        "from_sha256": sha256_hex(read(client, told, entry_key(1))),
        "to": states["v2"],
        "reason": OTHER.reason,
        "gates": gates,
        "previous_sha256": sha256_hex(read(client, told, entry_key(1))),
    }
    assert (first["from"], first["from_sequence"], first["previous_sha256"]) == (None, 0, None)
    assert (third["action"], third["from"], third["to"]) == ("rollback", states["v2"], states["v1"])
    assert read_json(client, told, POINTER_KEY) == {
        **states["v3"],
        "previous": "v1",
        "sequence": 4,
        "history_sha256": sha256_hex(read(client, told, entry_key(4))),
    }
    history = read_history(client, told)
    assert history.faults == []
    assert (history.sequence, history.carried_out) == (4, {1, 2, 3, 4})


def test_nothing_is_written_down_where_nothing_changes(client: "S3Client", told: str) -> None:
    assert promote_version(client, told, "v3", DECISION) is None
    assert len(read_history(client, told).entries) == 4


def test_a_registry_from_before_begins_with_its_next_change(client: "S3Client", registry: str) -> None:
    digest = sha256_hex(read(client, registry, "models/v1/manifest.json"))
    old = {"version": "v1", "manifest_sha256": digest, "previous": "v0"}
    client.put_object(Bucket=registry, Key=POINTER_KEY, Body=json.dumps(old).encode())
    history = read_history(client, registry)
    assert (history.faults, history.entries) == ([], {})
    assert describe_proof(history) == ["The history has not begun: the next change of the served version is number 1"]
    promote_version(client, registry, "v2", DECISION)
    history = read_history(client, registry)
    assert (history.faults, list_states(history)) == ([], [(1, "promote", "v2", True)])
    assert describe_proof(history)[0].endswith(": how v1 came to be served before is not written down")
    assert name_versions(rollback_version(client, registry, DECISION)) == ("v2", "v1")


def test_a_change_that_was_killed_before_the_swap_does_not_block_the_next(
    connect: "Callable[[], S3Client]", told: str
) -> None:
    killed, client = connect(), connect()
    before = read(client, told, POINTER_KEY)
    fail_put(killed, POINTER_KEY, KeyboardInterrupt())
    with pytest.raises(KeyboardInterrupt):
        promote_version(killed, told, "v2", OTHER)
    assert read(client, told, POINTER_KEY) == before
    history = read_history(client, told)
    assert (history.faults, list_states(history)[-1]) == ([], (5, "promote", "v2", False))

    promote_version(client, told, "v1", DECISION)
    history = read_history(client, told)
    assert history.faults == []
    assert list_states(history)[-2:] == [(5, "promote", "v2", False), (6, "promote", "v1", True)]
    assert (history.entries[6].from_sequence, history.entries[6].previous_sha256) == (4, history.entries[5].sha256)


def test_without_its_entry_nothing_moves(connect: "Callable[[], S3Client]", told: str) -> None:
    refused, client = connect(), connect()
    before = read(client, told, POINTER_KEY)
    error = ClientError({"Error": {"Code": "AccessDenied", "Message": "no"}}, "PutObject")
    fail_put(refused, entry_key(5), error)
    with pytest.raises(RegistryError, match="S3 does not let these credentials do that"):
        promote_version(refused, told, "v2", OTHER)
    assert read(client, told, POINTER_KEY) == before
    assert read_history(client, told).faults == []


def test_two_at_once_make_one_change_and_the_loser_is_told(connect: "Callable[[], S3Client]", told: str) -> None:
    client = connect()
    # Each round both have read the same pointer, as far as the threads allow.
    for wanted in (("v1", "v2"), ("v3", "v1"), ("v2", "v3")):
        people = [Decision(f"arn:aws:iam::123456789012:user/{version}", "now") for version in wanted]

        def promote(version: str, person: Decision) -> str | None:
            try:
                promote_version(connect(), told, version, person)
            except RegistryError as lost:
                return str(lost)
            return None

        with ThreadPoolExecutor(2) as pool:
            errors = [error for error in pool.map(promote, wanted, people) if error]
        history = read_history(client, told)
        assert history.faults == []
        winner = history.entries[history.sequence]
        assert read_json(client, told, POINTER_KEY)["version"] == winner.after.version
        for error in errors:
            assert (
                f"{winner.who} moved the pointer meanwhile, by promote at {winner.at}, {winner.after.version} is"
                in error
            )
        undone = [entry for number, entry in history.entries.items() if number not in history.carried_out]
        assert all(entry.from_sequence in history.carried_out for entry in undone)


def alter(client: "S3Client", bucket: str) -> None:
    rewrite(client, bucket, entry_key(2), who="arn:aws:iam::123456789012:user/somebody-else")


def alter_the_last(client: "S3Client", bucket: str) -> None:
    rewrite(client, bucket, entry_key(4), reason="none")


def alter_and_go_on(client: "S3Client", bucket: str) -> None:
    alter_the_last(client, bucket)
    promote_version(client, bucket, "v1", DECISION)


def alter_with_the_next(client: "S3Client", bucket: str) -> None:
    digest = sha256_hex(rewrite(client, bucket, entry_key(2), reason="none"))
    rewrite(client, bucket, entry_key(3), previous_sha256=digest, from_sha256=digest)


def remove(client: "S3Client", bucket: str) -> None:
    client.delete_object(Bucket=bucket, Key=entry_key(2))


def remove_the_last(client: "S3Client", bucket: str) -> None:
    client.delete_object(Bucket=bucket, Key=entry_key(4))


def remove_all(client: "S3Client", bucket: str) -> None:
    for number in range(1, 5):
        client.delete_object(Bucket=bucket, Key=entry_key(number))


def exchange(client: "S3Client", bucket: str) -> None:
    second, third = (read(client, bucket, entry_key(number)) for number in (2, 3))
    client.put_object(Bucket=bucket, Key=entry_key(2), Body=third)
    client.put_object(Bucket=bucket, Key=entry_key(3), Body=second)


def damage(client: "S3Client", bucket: str) -> None:
    client.put_object(Bucket=bucket, Key=entry_key(1), Body=b"[1]")


def add(client: "S3Client", bucket: str) -> None:
    client.put_object(Bucket=bucket, Key="models/history/1.json", Body=b"{}")


def move_by_hand(client: "S3Client", bucket: str) -> None:
    rewrite(client, bucket, POINTER_KEY, version="v2")


def move_by_hand_and_go_on(client: "S3Client", bucket: str) -> None:
    rewrite(client, bucket, POINTER_KEY, version="v2")
    promote_version(client, bucket, "v1", DECISION)


def go_back_to_an_old_pointer(client: "S3Client", bucket: str) -> None:
    entry = read_json(client, bucket, entry_key(2))
    content = read(client, bucket, entry_key(2))
    pointer = {**entry["to"], "previous": "v1", "sequence": 2, "history_sha256": sha256_hex(content)}
    client.put_object(Bucket=bucket, Key=POINTER_KEY, Body=json.dumps(pointer).encode())


def move_as_before_the_history(client: "S3Client", bucket: str) -> None:
    client.put_object(Bucket=bucket, Key=POINTER_KEY, Body=b'{"version": "v2", "manifest_sha256": "0"}')


def remove_the_pointer(client: "S3Client", bucket: str) -> None:
    client.delete_object(Bucket=bucket, Key=POINTER_KEY)


@pytest.mark.parametrize(
    ("attack", "faults"),
    [
        (alter, ["00000002.json was altered: number 3 has another digest of it"]),
        (alter_the_last, ["00000004.json was altered: models/current.json has another digest of it"]),
        (alter_and_go_on, ["00000004.json was altered: number 5 has another digest of it"]),
        (alter_with_the_next, ["00000003.json was altered: number 4 has another digest of it"]),
        (remove, ["00000002.json is missing"]),
        (remove_the_last, ["00000004.json is missing"]),
        (remove_all, [f"0000000{number}.json is missing" for number in range(1, 5)]),
        (
            exchange,
            [
                "00000002.json is out of order: it is the entry of number 3",
                "00000003.json is out of order: it is the entry of number 2",
            ],
        ),
        (damage, ["00000001.json is damaged: it is not an entry of the history"]),
        (add, ["1.json does not belong there: it is not an entry"]),
        (move_by_hand, ["current.json was changed without an entry after number 4"]),
        (move_by_hand_and_go_on, ["current.json was changed without an entry between number 4 and 5"]),
        (
            go_back_to_an_old_pointer,
            [
                "current.json was replaced: number 4 leads from number 3, which is not among those that led to the one "
                "in effect"
            ],
        ),
        (move_as_before_the_history, ["names no entry, although there are entries under models/history/"]),
        (remove_the_pointer, ["current.json is missing"]),
    ],
)
def test_a_history_that_was_touched_is_found_out(
    client: "S3Client", told: str, attack: Callable[["S3Client", str], None], faults: list[str]
) -> None:
    attack(client, told)
    found = read_history(client, told).faults
    assert len(found) == len(faults)
    assert [fault for fault, expected in zip(found, faults, strict=True) if expected not in fault] == []


@pytest.mark.parametrize("content", [b"[" * 100_000, b'{"sequence": Infinity}', b'{"sequence": NaN}', b"\xff", b"[]"])
def test_an_entry_that_nothing_can_read_is_named(client: "S3Client", told: str, content: bytes) -> None:
    client.put_object(Bucket=told, Key=entry_key(1), Body=content)
    assert f"{entry_key(1)} is damaged: it is not an entry of the history" in read_history(client, told).faults


@pytest.mark.parametrize("sequence", [-1, True, 1.0, "4", None, 100_000_000, 10**30])
def test_a_pointer_to_a_number_that_no_entry_can_have_is_refused(
    client: "S3Client", told: str, sequence: object
) -> None:
    rewrite(client, told, POINTER_KEY, sequence=sequence)
    with pytest.raises(RegistryError, match="names no entry of the history"):
        read_history(client, told)


@pytest.mark.parametrize("key", ["99999999.json", "100000000.json", "00000000.json", "00000007.json", "x", "a/b.json"])
def test_a_foreign_object_blocks_no_change_and_is_named(client: "S3Client", told: str, key: str) -> None:
    client.put_object(Bucket=told, Key=f"models/history/{key}", Body=b"{}")
    for version in ("v1", "v2"):
        assert promote_version(client, told, version, DECISION)
    history = read_history(client, told)
    assert sorted(history.entries) == [1, 2, 3, 4, 5, 6]
    assert (history.sequence, history.carried_out) == (6, {1, 2, 3, 4, 5, 6})
    damaged = f"models/history/{key} is damaged: it is not an entry of the history"
    assert history.faults == {
        "99999999.json": [damaged, "models/history/00000007.json to 99999998.json are missing"],
        "00000007.json": [damaged],
    }.get(key, [f"models/history/{key} does not belong there: it is not an entry"])
    # It stands where the next entry would.
    assert promote_version(client, told, "v3", DECISION)
    assert read_json(client, told, POINTER_KEY)["sequence"] == (8 if key == "00000007.json" else 7)


def test_a_history_without_a_number_left_is_not_gone_beyond(client: "S3Client", told: str) -> None:
    rewrite(client, told, POINTER_KEY, sequence=99_999_999)
    before = read(client, told, POINTER_KEY)
    with pytest.raises(RegistryError, match="nothing was changed: models/history/ has no number left after 99999999"):
        promote_version(client, told, "v2", DECISION)
    assert read(client, told, POINTER_KEY) == before
