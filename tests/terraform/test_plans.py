"""The plans of the environments: they only create, hold no secret, and protect the data."""

import re
from typing import Any

import pytest

from lambda_app.project import PREFIX
from tests.environments import list_declared_settings, read_own_settings, read_settings
from tests.terraform.applied import list_resources
from tests.terraform.leaks import find_set_attributes

Planned = dict[str, dict[str, Any]]

# Multi-AZ, days of backups, deletion protection, no final snapshot, deletion of the buckets with models and records.
PROTECTION = {
    "dev": (False, 1, False, True, True, True),
    "staging": (True, 7, False, True, False, False),
    "prod": (True, 35, True, False, False, False),
}


@pytest.fixture
def planned(plan: dict[str, Any]) -> Planned:
    """The planned resources by address within module.environment."""
    resources = list_resources(plan["planned_values"])
    return {address.removeprefix("module.environment."): values for address, values in resources.items()}


def test_plan_only_creates_and_holds_no_secret(plan: dict[str, Any]) -> None:
    assert plan["complete"]
    assert not plan["errored"]
    actions = [change["change"]["actions"] for change in plan["resource_changes"] if change["mode"] == "managed"]
    assert actions == [["create"]] * len(actions)
    assert list(find_set_attributes(plan)) == []


def test_data_is_protected_as_the_environment_needs(plan: dict[str, Any], planned: Planned) -> None:
    name = plan["environment"]
    instance = planned["module.database.aws_db_instance.this"]
    assert (
        instance["multi_az"],
        instance["backup_retention_period"],
        instance["deletion_protection"],
        instance["skip_final_snapshot"],
        planned["module.model_store.aws_s3_bucket.this"]["force_destroy"],
        planned["module.records.aws_s3_bucket.this"]["force_destroy"],
    ) == PROTECTION[name]
    assert re.fullmatch(rf"{PREFIX}-{name}-final-\d{{14}}", instance["final_snapshot_identifier"])
    assert instance["delete_automated_backups"] == instance["skip_final_snapshot"]
    functions = [values for address, values in planned.items() if ".aws_lambda_function." in address]
    assert len(functions) == 5
    # dev fits into the quota of a new account.
    assert all((values["reserved_concurrent_executions"] >= 1) == (name != "dev") for values in functions)


@pytest.mark.parametrize("plan", ["prod"], indirect=True)
def test_prod_keeps_two_execution_environments_warm(planned: Planned) -> None:
    address = "module.service.aws_lambda_provisioned_concurrency_config.api[0]"
    assert planned[address]["provisioned_concurrent_executions"] == 2


def test_dev_alone_forgets_records() -> None:
    assert [read_own_settings(name).get("retention_months") for name in PROTECTION] == ["3", None, None]


def test_prod_alone_serves_no_page() -> None:
    assert [read_settings(name)["pages_enabled"] for name in PROTECTION] == ["true", "true", "false"]


@pytest.mark.parametrize("name", PROTECTION)
def test_every_setting_is_one_that_the_module_declares(name: str) -> None:
    """Terraform drops unknown attributes of an object without an error."""
    assert read_own_settings(name)
    assert read_own_settings(name).keys() <= list_declared_settings()
