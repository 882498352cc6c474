"""The registry over the S3 protocol: whole versions, no overwriting, no lost promotion."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from botocore.exceptions import EndpointConnectionError

from lambda_app.model.bundle import sha256_hex
from problem.table import TABLE
from tests.bundles import DECISION, copy_bundle, load_predictor
from training.data import Rows
from training.errors import RegistryError
from training.promotion import promote_version
from training.registry import find_newest_bundle, list_versions, publish_bundle

if TYPE_CHECKING:
    from types_boto3_s3 import S3Client


def read_objects(client: "S3Client", bucket: str) -> dict[str, bytes]:
    return {
        entry["Key"]: client.get_object(Bucket=bucket, Key=entry["Key"])["Body"].read()
        for entry in client.list_objects_v2(Bucket=bucket).get("Contents", [])
    }


def read_pointer(client: "S3Client", bucket: str) -> dict[str, str | None]:
    pointer: dict[str, str | None] = json.loads(read_objects(client, bucket)["models/current.json"])
    return pointer


def run_before_put(client: "S3Client", action: Callable[[str], object]) -> None:
    """Run `action` with the key just before `client` sends a PUT, as another person's request may come between."""

    def hook(params: dict[str, str], **_: object) -> None:
        action(params["Key"])

    client.meta.events.register("provide-client-params.s3.PutObject", hook)


def test_publish_stores_every_byte_under_the_version(client: "S3Client", bucket: str, bundle: Path) -> None:
    assert publish_bundle(client, bucket, bundle) == (bundle.name, True)
    assert read_objects(client, bucket) == {
        f"models/{bundle.name}/{path.name}": path.read_bytes() for path in bundle.iterdir()
    }


def test_publish_never_overwrites(client: "S3Client", bucket: str, bundle: Path, tmp_path: Path) -> None:
    directory = copy_bundle(bundle, tmp_path, version="v1")
    publish_bundle(client, bucket, directory)
    before = read_objects(client, bucket)
    changed = (directory / "scaler.json").read_bytes() + b" "
    (directory / "scaler.json").write_bytes(changed)
    manifest = json.loads((directory / "manifest.json").read_bytes())
    manifest["files"]["scaler.json"] = {"size": len(changed), "sha256": sha256_hex(changed)}
    (directory / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(RegistryError, match=r"models/v1/scaler\.json is published already with other contents"):
        publish_bundle(client, bucket, directory)
    assert read_objects(client, bucket) == before


def test_publish_refuses_a_damaged_file_before_it_sends_any(
    client: "S3Client", bucket: str, bundle: Path, tmp_path: Path
) -> None:
    directory = copy_bundle(bundle, tmp_path, version="v1")
    network = bytearray((directory / "model.tflite").read_bytes())
    network[-1] ^= 1
    (directory / "model.tflite").write_bytes(network)
    with pytest.raises(RegistryError, match=r"damaged: model\.tflite differs from what manifest\.json says"):
        publish_bundle(client, bucket, directory)
    (directory / "model.tflite").unlink()
    with pytest.raises(RegistryError, match=r"damaged: model\.tflite is missing"):
        publish_bundle(client, bucket, directory)
    (directory / "manifest.json").write_text("{}")
    with pytest.raises(RegistryError, match=r"damaged: manifest\.json lacks features"):
        publish_bundle(client, bucket, directory)
    assert read_objects(client, bucket) == {}


@pytest.mark.parametrize("sent", [0, 11])
def test_interrupted_publish_makes_no_version_and_resumes(
    connect: "Callable[[], S3Client]", bucket: str, bundle: Path, sent: int
) -> None:
    unlucky, client = connect(), connect()
    keys: list[str] = []

    def lose_connection(key: str) -> None:
        if len(keys) == sent:
            raise EndpointConnectionError(endpoint_url="http://lost")
        keys.append(key)

    run_before_put(unlucky, lose_connection)
    with pytest.raises(RegistryError, match="S3 can't be reached: nothing answers at "):
        publish_bundle(unlucky, bucket, bundle)

    assert len(read_objects(client, bucket)) == sent
    assert list_versions(client, bucket) == []
    with pytest.raises(RegistryError, match=f"no version '{bundle.name}' in bucket {bucket}"):
        promote_version(client, bucket, bundle.name, DECISION)

    publish_bundle(client, bucket, bundle)
    assert len(read_objects(client, bucket)) == 12
    assert [entry.version for entry in list_versions(client, bucket)] == [bundle.name]


def test_promoted_model_is_the_one_that_the_service_loads(
    client: "S3Client", bucket: str, bundle: Path, rows: Rows
) -> None:
    publish_bundle(client, bucket, bundle)
    assert promote_version(client, bucket, bundle.name, DECISION)
    assert read_pointer(client, bucket) == {
        "version": bundle.name,
        "manifest_sha256": sha256_hex((bundle / "manifest.json").read_bytes()),
        "previous": None,
        "candidate": None,
        "sequence": 1,
        "history_sha256": sha256_hex(read_objects(client, bucket)["models/history/00000001.json"]),
    }
    served = load_predictor(client, bucket, "litert")
    assert served.version == bundle.name
    [prediction] = served.predict([dict(zip(TABLE.names, rows.features[0], strict=True))])
    assert 25 < prediction.value < 346


@pytest.mark.parametrize("start", [None, "v0"])
def test_second_of_two_promoters_is_told_who_won(
    connect: "Callable[[], S3Client]", bucket: str, bundle: Path, tmp_path: Path, start: str | None
) -> None:
    slow, quick = connect(), connect()
    for version in ("v0", "v1", "v2"):
        publish_bundle(quick, bucket, copy_bundle(bundle, tmp_path, version=version))
    if start:
        promote_version(quick, bucket, start, DECISION)
    run_before_put(slow, lambda key: promote_version(quick, bucket, "v2", DECISION))
    with pytest.raises(
        RegistryError,
        match=rf"nothing was changed: {DECISION.who} moved the pointer meanwhile, by promote at .*, v2 is current now",
    ):
        promote_version(slow, bucket, "v1", DECISION)
    pointer = read_pointer(quick, bucket)
    assert (pointer["version"], pointer["previous"]) == ("v2", start)


def test_two_promoters_of_one_version_are_both_content(
    connect: "Callable[[], S3Client]", bucket: str, bundle: Path
) -> None:
    slow, quick = connect(), connect()
    publish_bundle(quick, bucket, bundle)
    run_before_put(slow, lambda key: promote_version(quick, bucket, bundle.name, DECISION))
    assert promote_version(slow, bucket, bundle.name, DECISION)
    assert read_pointer(quick, bucket)["version"] == bundle.name


def test_promote_refuses_a_version_that_is_not_whole(client: "S3Client", bucket: str, bundle: Path) -> None:
    publish_bundle(client, bucket, bundle)
    key = f"models/{bundle.name}/scaler.json"
    client.put_object(Bucket=bucket, Key=key, Body=b"{}")
    with pytest.raises(RegistryError, match=r"is not whole: scaler\.json has 2 bytes instead of \d+"):
        promote_version(client, bucket, bundle.name, DECISION)
    client.delete_object(Bucket=bucket, Key=key)
    with pytest.raises(RegistryError, match=r"is not whole: scaler\.json is missing"):
        promote_version(client, bucket, bundle.name, DECISION)
    assert "models/current.json" not in read_objects(client, bucket)


def test_promote_refuses_a_version_that_the_service_cannot_serve(
    client: "S3Client", bucket: str, bundle: Path, tmp_path: Path
) -> None:
    files = json.loads((bundle / "manifest.json").read_bytes())["files"]
    del files["interval.json"]
    publish_bundle(client, bucket, copy_bundle(bundle, tmp_path, version="old", files=files))
    with pytest.raises(RegistryError, match=r"version old has no interval\.json, which the service needs"):
        promote_version(client, bucket, "old", DECISION)
    client.upload_file(str(bundle / "manifest.json"), bucket, "models/v9/manifest.json")
    with pytest.raises(RegistryError, match=f"says it is version {bundle.name}"):
        promote_version(client, bucket, "v9", DECISION)


def test_damaged_pointer_is_reported_and_kept(client: "S3Client", bucket: str, bundle: Path) -> None:
    publish_bundle(client, bucket, bundle)
    client.put_object(Bucket=bucket, Key="models/current.json", Body=b"nonsense")
    with pytest.raises(RegistryError, match=r"the registry is damaged: .* is not JSON"):
        promote_version(client, bucket, bundle.name, DECISION)
    assert read_objects(client, bucket)["models/current.json"] == b"nonsense"


def test_newest_bundle_is_the_last_whole_one(tmp_path: Path) -> None:
    for name in ("20260101T000000Z-ffffffff", "20260102T000000Z-00000000", ".partial-x"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "manifest.json").touch()
        (tmp_path / name / "interval.json").touch()
    (tmp_path / "20260103T000000Z-00000000").mkdir()
    assert find_newest_bundle(tmp_path) == tmp_path / "20260102T000000Z-00000000"
