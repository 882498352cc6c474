"""The first model of an environment, where the deployer has none yet."""

from functools import partial
from pathlib import Path

import boto3
import pytest

import training.train
from deploy.environment import Environment
from deploy.model import provide_model
from local.aws_services import ACCOUNT, REGION, AwsServices
from training.errors import RegistryError
from training.registry import publish_bundle


@pytest.fixture
def environment_of(aws: AwsServices, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Environment:
    """In an empty directory, with credentials for the S3 of the tests."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("AWS_ENDPOINT_URL", aws.endpoint_url)
    session = boto3.Session(aws_access_key_id="local", aws_secret_access_key="local", region_name=REGION)
    return Environment("dev", ACCOUNT, REGION, session)


def test_without_one_on_disk_a_model_is_trained_and_must_pass_the_gates(
    environment_of: Environment, bucket: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    # One epoch is soon done, and makes a model that nobody should be served.
    monkeypatch.setattr(training.train, "train_model", partial(training.train.train_model, epochs=1))
    with pytest.raises(RegistryError, match="was not published: "):
        provide_model(environment_of, bucket)
    assert len(list(tmp_path.glob("build/models/*/manifest.json"))) == 1
    assert "Contents" not in environment_of.session.client("s3").list_objects_v2(Bucket=bucket)


def test_a_bucket_that_is_not_there_is_named(environment_of: Environment) -> None:
    with pytest.raises(RegistryError, match="there is no bucket nowhere-to-be-found"):
        provide_model(environment_of, "nowhere-to-be-found")


def test_a_model_that_is_published_already_is_only_promoted(
    environment_of: Environment, bucket: str, bundle: Path, tmp_path: Path
) -> None:
    (tmp_path / "build").mkdir()
    (tmp_path / "build/models").symlink_to(bundle.parent)
    publish_bundle(environment_of.session.client("s3"), bucket, bundle)
    assert provide_model(environment_of, bucket) == (bundle.name, ("promoted",))
    assert provide_model(environment_of, bucket) == (bundle.name, ())
