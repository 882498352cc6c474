"""The registry of `make run`: it outlives the stack, and says which model the next run serves."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from lambda_app.model.bundle import POINTER_KEY, bundle_key
from local.aws_client import connect_aws
from local.aws_services import AwsServices
from local.ports import find_free_ports
from local.seed import provide_model
from tests.bundles import copy_bundle
from training.provide import serve_bundle
from training.registry import find_current, list_versions, rollback_version

if TYPE_CHECKING:
    from types_boto3_s3 import S3Client

OLD, NEW, NEWEST = "20260101T000000Z-00000001", "20260102T000000Z-00000002", "20260103T000000Z-00000003"
# Worse than any ridge regression.
BAD: dict[str, Any] = {"metrics": {"held_out": {"rmse": 99.0, "coverage": 0.9}, "ridge": {"rmse": 55.0}}}


class Machine:
    """Where somebody has models under build/models, and S3 with or without what it held before."""

    def __init__(self, directory: Path, bundle: Path) -> None:
        self.models = directory / "models"
        self.models.mkdir()
        self.kept = directory / "s3"
        self._bundle = bundle
        self._aws = AwsServices(directory / "aws.log", find_free_ports(1)[0], bucket_directory=self.kept)

    def train(self, version: str, **changed: Any) -> Path:
        return copy_bundle(self._bundle, self.models, version, **changed)

    def start(self) -> "S3Client":
        """S3 with what was kept, and nothing else."""
        self.stop()
        self._aws.start()
        client: S3Client = connect_aws("s3", self._aws.endpoint_url)
        return client

    def stop(self) -> None:
        """By a signal that no process can do anything at."""
        self._aws.stop()

    def run(self) -> str:
        """What the next `make run` serves."""
        self.start()
        return provide_model(self._aws.endpoint_url, self._aws.bucket, self.models)

    @property
    def bucket(self) -> str:
        return self._aws.bucket


@pytest.fixture
def machine(tmp_path: Path, bundle: Path) -> Iterator[Machine]:
    machine = Machine(tmp_path, bundle)
    yield machine
    machine.stop()


def test_objects_outlive_the_server(machine: Machine) -> None:
    contents = {"models/a/b": b"\x00\xff", ".hidden": b"", "a b/ü%2F?": b"1", "models/a": b"2"}
    client = machine.start()
    for key, content in {**contents, "gone": b"3", "models/a": b"before"}.items():
        client.put_object(Bucket=machine.bucket, Key=key, Body=content)
    client.put_object(Bucket=machine.bucket, Key="models/a", Body=contents["models/a"])
    client.delete_object(Bucket=machine.bucket, Key="gone")
    before = client.list_objects_v2(Bucket=machine.bucket)["Contents"]
    machine.stop()
    # As a server leaves it that was killed while it wrote.
    (machine.kept / ".models%2Fa").write_bytes(b"hal")
    client = machine.start()
    after = client.list_objects_v2(Bucket=machine.bucket)["Contents"]
    assert [(entry["Key"], entry["ETag"]) for entry in after] == [(entry["Key"], entry["ETag"]) for entry in before]
    read = {key: client.get_object(Bucket=machine.bucket, Key=key)["Body"].read() for key in contents}
    assert read == contents


def test_the_next_run_serves_what_is_current(machine: Machine, capsys: pytest.CaptureFixture[str]) -> None:
    machine.train(OLD)
    assert machine.run() == OLD
    # Better or worse, it is only trained.
    new = machine.train(NEW)
    machine.train(NEWEST, **BAD)
    assert machine.run() == OLD
    client = machine.start()
    serve_bundle(client, machine.bucket, new)
    assert machine.run() == NEW
    assert rollback_version(machine.start(), machine.bucket) == (OLD, NEW)
    assert machine.run() == OLD
    client = machine.start()
    assert {entry.version for entry in list_versions(client, machine.bucket)} == {OLD, NEW}
    # So that another rollback leads back.
    assert rollback_version(client, machine.bucket) == (NEW, OLD)
    assert capsys.readouterr().out == f"Published the model {OLD}, and made it current.\n"


def test_the_first_run_serves_the_newest_that_passes(machine: Machine, capsys: pytest.CaptureFixture[str]) -> None:
    machine.train(OLD)
    machine.train(NEW)
    machine.train(NEWEST, **BAD)
    damaged = machine.train("20260104T000000Z-00000004")
    (damaged / "model.tflite").write_bytes(b"")
    assert machine.run() == NEW
    first, second, last = capsys.readouterr().out.splitlines()
    assert first.startswith(f"Passed over: {damaged} is damaged: model.tflite differs")
    assert second.startswith(
        f"Passed over: {NEWEST} was not published: its RMSE of 99.00 on held-out patients is worse"
    )
    assert last == f"Published the model {NEW}, and made it current."


def damage_pointer(read: Callable[[str], Path]) -> None:
    read(POINTER_KEY).write_bytes(b"{")


def empty_pointer(read: Callable[[str], Path]) -> None:
    read(POINTER_KEY).write_bytes(b"")


def lead_nowhere(read: Callable[[str], Path]) -> None:
    path = read(POINTER_KEY)
    path.write_text(json.dumps({**json.loads(path.read_bytes()), "version": "20200101T000000Z-ffffffff"}))


def flip_a_bit(read: Callable[[str], Path]) -> None:
    path = read(bundle_key(OLD, "model.tflite"))
    content = bytearray(path.read_bytes())
    content[1000] ^= 1
    path.write_bytes(content)


def lose_a_file(read: Callable[[str], Path]) -> None:
    read(bundle_key(OLD, "interval.json")).unlink()


def damage_manifest(read: Callable[[str], Path]) -> None:
    read(bundle_key(OLD, "manifest.json")).write_bytes(b"\xff")


@pytest.mark.parametrize(
    "damage", [damage_pointer, empty_pointer, lead_nowhere, flip_a_bit, lose_a_file, damage_manifest]
)
def test_a_damaged_registry_is_told_and_mended(
    machine: Machine, damage: Callable[[Callable[[str], Path]], None], capsys: pytest.CaptureFixture[str]
) -> None:
    machine.train(OLD)
    machine.run()
    capsys.readouterr()
    damage(lambda key: machine.kept / key.replace("/", "%2F"))
    assert machine.run() == OLD
    told, published = capsys.readouterr().out.splitlines()
    assert told.startswith("The current model can't be served, so another one takes its place: ")
    assert published == f"Published the model {OLD}, and made it current."
    assert find_current(machine.start(), machine.bucket) == OLD
    assert machine.run() == OLD
    assert capsys.readouterr().out == ""


def test_what_is_no_file_is_no_object(machine: Machine) -> None:
    machine.train(OLD)
    machine.run()
    (machine.kept / "models").mkdir()
    assert machine.run() == OLD
