"""No password, token or other secret is in a state or a plan."""

import copy
import json
import zipfile
from collections.abc import Callable
from typing import Any

import pytest

from tests.terraform.applied import STATE_BUCKET, Applied, list_resources
from tests.terraform.leaks import find_set_attributes, find_values, read_secrets


@pytest.fixture(scope="module")
def secrets(applied: Applied) -> list[str]:
    """Those of the database's roles, and the one of the master user that RDS made."""
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


def _tell_by_description(resources: dict[str, dict[str, Any]], secret: str) -> None:
    resources["module.environment.module.network.aws_vpc.this"]["tags"]["Name"] = f"The secret is {secret}."


def _tell_by_environment(resources: dict[str, dict[str, Any]], secret: str) -> None:
    [environment] = resources['module.environment.module.service.aws_lambda_function.this["api"]']["environment"]
    environment["variables"]["ANYTHING"] = secret


@pytest.mark.parametrize("tell", [_tell_by_description, _tell_by_environment])
def test_every_secret_would_be_found(
    applied: Applied, secrets: list[str], tell: Callable[[dict[str, dict[str, Any]], str], None]
) -> None:
    for secret in secrets:
        doctored = copy.deepcopy(applied.state)
        tell(list_resources(doctored["values"]), secret)
        assert secret in find_values(json.dumps(doctored), secrets)


@pytest.mark.parametrize(
    ("address", "name"),
    [
        ("module.environment.module.database.aws_db_instance.this", "password"),
        ('module.environment.module.database.aws_secretsmanager_secret_version.role["api"]', "secret_string"),
        ('module.environment.module.database.aws_secretsmanager_secret_version.role["api"]', "secret_string_wo"),
        ("module.environment.module.database.aws_db_proxy.this", "auth_token"),
        ("module.environment.module.database.aws_db_instance.this", "master_user_password"),
    ],
)
@pytest.mark.parametrize("document", ["plan", "state"])
def test_every_set_attribute_would_be_found(applied: Applied, document: str, address: str, name: str) -> None:
    doctored = copy.deepcopy(getattr(applied, document))
    list_resources(doctored["values" if document == "state" else "planned_values"])[address][name] = "anything"
    [found] = find_set_attributes(doctored)
    assert found.endswith(f".values.{name}")


def test_variable_with_a_password_would_be_found(applied: Applied) -> None:
    doctored = copy.deepcopy(applied.state)
    resources = list_resources(doctored["values"])
    resources['module.environment.module.service.aws_lambda_function.this["api"]']["environment"][0]["variables"][
        "DATABASE_PASSWORD"
    ] = "x"
    [found] = find_set_attributes(doctored)
    assert found.endswith(".DATABASE_PASSWORD")
