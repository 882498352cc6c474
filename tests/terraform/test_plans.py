"""What the AWS provider would make of staging and prod, and what protects the data there."""

import json
from typing import Any

import pytest

from tests.terraform.applied import list_resources, plan_environment
from tests.terraform.leaks import find_set_attributes
from tests.terraform.program import Root

INSTANCE = "module.database.aws_db_instance.this"
BUCKET = "module.model_store.aws_s3_bucket.this"
QUEUES = ("records", "dead_letters")
PROVISIONED = "module.service.aws_lambda_provisioned_concurrency_config.api[0]"


@pytest.fixture(scope="module", params=["staging", "prod"])
def plan(request: pytest.FixtureRequest, roots: dict[str, Root]) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(plan_environment(roots[request.param], "first.tfplan"))
    return {**document, "environment": request.param}


@pytest.fixture(scope="module")
def planned(plan: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return list_resources(plan["planned_values"])


def test_plan_only_creates_and_holds_no_secret(plan: dict[str, Any]) -> None:
    assert plan["complete"]
    assert not plan["errored"]
    actions = [change["change"]["actions"] for change in plan["resource_changes"] if change["mode"] == "managed"]
    assert actions == [["create"]] * len(actions)
    assert list(find_set_attributes(plan)) == []


def test_everything_is_encrypted_and_nothing_is_public(planned: dict[str, dict[str, Any]]) -> None:
    assert planned[INSTANCE]["storage_encrypted"]
    assert not planned[INSTANCE]["publicly_accessible"]
    assert planned["module.database.aws_db_proxy.this"]["require_tls"]
    access = planned["module.model_store.aws_s3_bucket_public_access_block.this"]
    assert {name: value for name, value in access.items() if not value} == {}
    assert {planned[f"module.service.aws_sqs_queue.{name}"]["sqs_managed_sse_enabled"] for name in QUEUES} == {True}
    [versioning] = planned["module.model_store.aws_s3_bucket_versioning.this"]["versioning_configuration"]
    assert versioning["status"] == "Enabled"


@pytest.mark.parametrize("plan", ["prod"], indirect=True)
def test_prod_is_protected(planned: dict[str, dict[str, Any]]) -> None:
    instance = planned[INSTANCE]
    expected = {
        "deletion_protection": True,
        "multi_az": True,
        "skip_final_snapshot": False,
        "final_snapshot_identifier": "diabetes-prod-final",
        "delete_automated_backups": False,
        "backup_retention_period": 35,
        "manage_master_user_password": True,
        "iam_database_authentication_enabled": True,
        "performance_insights_enabled": True,
    }
    assert {name: instance[name] for name in expected} == expected
    assert planned[BUCKET]["force_destroy"] is False
    assert planned[PROVISIONED]["provisioned_concurrent_executions"] == 2
    functions = [values for address, values in planned.items() if ".aws_lambda_function." in address]
    assert len(functions) == 3
    assert all(values["reserved_concurrent_executions"] >= 1 for values in functions)
