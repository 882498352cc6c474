"""No password, token or other secret is in a state or a plan."""

import copy
import json
import zipfile

import pytest

from tests.terraform.applied import STATE_BUCKET, Applied, list_resources
from tests.terraform.leaks import find_set_attributes, find_values, read_secrets


@pytest.fixture(scope="module")
def secrets(applied: Applied) -> list[str]:
    """Return the secrets of the database's roles and of the master user that RDS made."""
    found = read_secrets(applied)
    made = [address for address in list_resources(applied.state["values"]) if ".aws_secretsmanager_secret." in address]
    assert len(made) >= 2
    assert len(found) == 2 * (len(made) + 1)
    assert all(len(secret) >= 8 for secret in found)
    return found


@pytest.mark.parametrize("name", ["plan", "state", "second_plan"])
def test_no_secret_is_in_what_terraform_shows(applied: Applied, secrets: list[str], name: str) -> None:
    assert not find_values(getattr(applied, f"{name}_text"), secrets)
    assert list(find_set_attributes(getattr(applied, name))) == []


def test_no_secret_is_in_any_version_of_the_stored_state(applied: Applied, secrets: list[str]) -> None:
    client = applied.client("s3")
    versions = client.list_object_versions(Bucket=STATE_BUCKET, Prefix="dev.tfstate")["Versions"]
    texts = [
        client.get_object(Bucket=STATE_BUCKET, Key=version["Key"], VersionId=version["VersionId"])["Body"].read()
        for version in versions
    ]
    assert json.loads(texts[0])["resources"]
    for text in texts:
        assert not find_values(text.decode(), secrets)
        assert list(find_set_attributes(json.loads(text))) == []


def test_no_secret_is_in_the_files_of_the_plans(applied: Applied, secrets: list[str]) -> None:
    for path in (applied.root.directory / "first.tfplan", applied.root.directory / "second.tfplan"):
        with zipfile.ZipFile(path) as archive:
            assert "tfplan" in archive.namelist()
            for name in archive.namelist():
                assert not find_values(archive.read(name).decode("utf-8", "replace"), secrets)


def test_every_secret_would_be_found(applied: Applied, secrets: list[str]) -> None:
    for secret in secrets:
        changed = copy.deepcopy(applied.state)
        vpc = list_resources(changed["values"])["module.environment.module.network.aws_vpc.this"]
        vpc["tags"]["Name"] = f"The secret is {secret}."
        assert secret in find_values(json.dumps(changed), secrets)
