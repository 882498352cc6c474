"""Object Lock of the model store, applied: no version goes before its time, and only a new bucket has it."""

import json
from pathlib import Path

import pytest
from botocore.exceptions import ClientError

from local.aws_services import REGION
from tests.terraform.applied import connect
from tests.terraform.program import Root, copy_sources

MAIN = f"""
provider "aws" {{
  region = "{REGION}"
}}

variable "locks" {{
  type = map(object({{ mode = string, days = number }}))
}}

module "store" {{
  source   = "../modules/model_store"
  for_each = toset(["without", "governance", "compliance"])

  name                    = "store-${{each.key}}"
  noncurrent_version_days = 30
  force_destroy           = true
  object_lock             = lookup(var.locks, each.key, null)
}}
"""
LOCKS = {
    "governance": {"mode": "GOVERNANCE", "days": 365},
    "compliance": {"mode": "COMPLIANCE", "days": 365},
}


@pytest.fixture(scope="module")
def root(terraform_environment: dict[str, str], emulated_aws: str, tmp_path_factory: pytest.TempPathFactory) -> Root:
    sources = copy_sources(tmp_path_factory.mktemp("locks"))
    directory: Path = sources / "locks"
    directory.mkdir()
    (directory / "main.tf").write_text(MAIN)
    environment = {**terraform_environment, "AWS_ENDPOINT_URL": emulated_aws}
    environment |= {"AWS_ACCESS_KEY_ID": "local", "AWS_SECRET_ACCESS_KEY": "local"}
    root = Root(directory, environment)
    root.run("init", "-input=false", "-no-color")
    root.change("apply", f"-var=locks={json.dumps(LOCKS)}")
    return root


@pytest.mark.parametrize("mode", LOCKS)
def test_no_version_can_be_deleted_before_its_time(root: Root, emulated_aws: str, mode: str) -> None:
    client = connect(emulated_aws, "s3")
    for key in ("models/current.json", "reports/performance.json"):
        version = client.put_object(Bucket=f"store-{mode}", Key=key, Body=b"{}")["VersionId"]
        with pytest.raises(ClientError, match="AccessDenied"):
            client.delete_object(Bucket=f"store-{mode}", Key=key, VersionId=version)


def test_a_bucket_without_it_would_be_replaced(root: Root) -> None:
    locks = {**LOCKS, "without": LOCKS["governance"]}
    root.run("plan", "-input=false", "-no-color", "-out=next.tfplan", f"-var=locks={json.dumps(locks)}")
    changes = json.loads(root.run("show", "-json", "next.tfplan").stdout)["resource_changes"]
    replaced = [one["address"] for one in changes if {"create", "delete"} <= set(one["change"]["actions"])]
    assert 'module.store["without"].aws_s3_bucket.this' in replaced
    assert all(address.startswith('module.store["without"]') for address in replaced)
