"""The registry of `make run`: it outlives the stack, and says which model the next run serves."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from lambda_app.model.bundle import POINTER_KEY, bundle_key
from local.aws_client import connect_aws
from local.aws_services import AwsServices
from local.ports import find_free_ports
from local.seed import provide_model
from tests.bundles import DECISION, copy_bundle, name_versions
from training.promotion import rollback_version
from training.provide import serve_bundle
from training.registry import find_current

if TYPE_CHECKING:
    from types_boto3_s3 import S3Client

OLD, NEW, NEWEST = "20260101T000000Z-00000001", "20260102T000000Z-00000002", "20260103T000000Z-00000003"
# Worse than any ridge regression.
BAD: dict[str, Any] = {"metrics": {"held_out": {"rmse": 99.0, "coverage": 0.9}, "ridge": {"rmse": 55.0}}}


class Machine:
    """Models in a directory, as in build/models, and S3 whose objects outlive its server."""

    def __init__(self, directory: Path, bundle: Path) -> None:
        self.models = directory / "models"
        self.models.mkdir()
        self.kept = directory / "s3"
        self._bundle = bundle
        self._aws = AwsServices(directory / "aws.log", find_free_ports(1)[0], bucket_directory=self.kept)

    def train(self, version: str, **changed: Any) -> Path:
        return copy_bundle(self._bundle, self.models, version, **changed)

    def start(self) -> "S3Client":
        """Start S3 again, with the kept objects and nothing else."""
        self.stop()
        self._aws.start()
        client: S3Client = connect_aws("s3", self._aws.endpoint_url)
        return client

    def stop(self) -> None:
        self._aws.stop()

    def run(self) -> str:
        """Start as the next `make run` does; returns the version that it serves."""
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
    # As a server leaves it that was killed while it wrote; and a directory.
    (machine.kept / ".models%2Fa").write_bytes(b"hal")
    (machine.kept / "models").mkdir()
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
    serve_bundle(machine.start(), machine.bucket, new, DECISION)
    assert machine.run() == NEW
    assert name_versions(rollback_version(machine.start(), machine.bucket, DECISION)) == (NEW, OLD)
    assert machine.run() == OLD
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


@pytest.mark.parametrize(
    ("key", "damage"),
    [
        (POINTER_KEY, lambda content: b"{"),
        (POINTER_KEY, lambda content: b""),
        (POINTER_KEY, lambda content: content.replace(OLD.encode(), b"20200101T000000Z-ffffffff")),
        (bundle_key(OLD, "model.tflite"), lambda content: content[:-1] + bytes([content[-1] ^ 1])),
        (bundle_key(OLD, "interval.json"), None),
        (bundle_key(OLD, "manifest.json"), lambda content: b"\xff"),
    ],
)
def test_a_damaged_registry_is_told_and_mended(
    machine: Machine, key: str, damage: Callable[[bytes], bytes] | None, capsys: pytest.CaptureFixture[str]
) -> None:
    machine.train(OLD)
    machine.run()
    capsys.readouterr()
    path = machine.kept / key.replace("/", "%2F")
    if damage:
        path.write_bytes(damage(path.read_bytes()))
    else:
        path.unlink()
    assert machine.run() == OLD
    told, published = capsys.readouterr().out.splitlines()
    assert told.startswith("The current model can't be served, so another one takes its place: ")
    assert published == f"Published the model {OLD}, and made it current."
    assert find_current(machine.start(), machine.bucket) == OLD
    assert machine.run() == OLD
    assert capsys.readouterr().out == ""
