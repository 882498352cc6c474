"""The list of versions, a version's manifest, and the newest bundle on disk."""

import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.bundles import copy_bundle
from tests.training.conftest import MakeVersion
from training.errors import RegistryError
from training.registry import (
    PublishedVersion,
    find_newest_bundle,
    list_versions,
    promote_version,
    publish_bundle,
    show_version,
)

if TYPE_CHECKING:
    from types_boto3_s3 import S3Client


def test_show_is_the_manifest_of_the_named_or_the_current_version(
    client: "S3Client", bucket: str, bundle: Path
) -> None:
    version, _ = publish_bundle(client, bucket, bundle)
    manifest = json.loads((bundle / "manifest.json").read_bytes())
    assert show_version(client, bucket, version) == manifest
    with pytest.raises(RegistryError, match="no version is current yet"):
        show_version(client, bucket, None)
    promote_version(client, bucket, version)
    assert show_version(client, bucket, None) == manifest
    with pytest.raises(RegistryError, match="no version 'nope'"):
        show_version(client, bucket, "nope")


def test_list_is_newest_first_and_marks_the_current(
    client: "S3Client", bucket: str, bundle: Path, make_version: MakeVersion
) -> None:
    assert list_versions(client, bucket) == []
    held_out = json.loads((bundle / "manifest.json").read_bytes())["metrics"]["held_out"]
    figures = {name: held_out[name] for name in ("rmse", "r2", "coverage", "mean_width")}
    times = {"v1": "2026-01-02T00:00:00+00:00", "v2": "2026-01-03T00:00:00+00:00", "v3": "2026-01-01T00:00:00+00:00"}
    for version, created_at in times.items():
        publish_bundle(client, bucket, make_version(version, created_at))
    promote_version(client, bucket, "v1")
    assert list_versions(client, bucket) == [
        PublishedVersion(version, times[version], **figures, forced=None, is_current=version == "v1")
        for version in ("v2", "v1", "v3")
    ]


def test_list_names_a_manifest_without_figures(client: "S3Client", bucket: str, bundle: Path, tmp_path: Path) -> None:
    odd = copy_bundle(bundle, tmp_path, version="odd", metrics={"held_out": {"rmse": "good"}})
    publish_bundle(client, bucket, odd, "to see")
    with pytest.raises(RegistryError, match=r"models/odd/manifest\.json is damaged"):
        list_versions(client, bucket)


def test_newest_bundle_is_the_last_whole_one(tmp_path: Path) -> None:
    with pytest.raises(RegistryError, match="no trained model"):
        find_newest_bundle(tmp_path / "models")
    for name in ("20260101T000000Z-ffffffff", "20260102T000000Z-00000000", ".partial-x"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "manifest.json").touch()
        (tmp_path / name / "interval.json").touch()
    (tmp_path / "20260103T000000Z-00000000").mkdir()
    assert find_newest_bundle(tmp_path) == tmp_path / "20260102T000000Z-00000000"
