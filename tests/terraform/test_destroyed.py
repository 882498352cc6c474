"""The end of the environment dev: `terraform destroy` leaves nothing of it. pytest runs this file last."""

import json
import re

from lambda_app.project import PREFIX
from tests.terraform.applied import Applied, list_inputs

# Of each service, what lists the things that an environment is made of.
LISTS = {
    "apigatewayv2": ["get_apis"],
    "cloudwatch": ["describe_alarms", "list_dashboards"],
    "ec2": [
        "describe_route_tables",
        "describe_security_groups",
        "describe_subnets",
        "describe_vpc_endpoints",
        "describe_vpcs",
    ],
    "iam": ["list_roles"],
    "lambda": ["list_functions", "list_event_source_mappings"],
    "logs": ["describe_log_groups"],
    "rds": [
        "describe_db_instances",
        "describe_db_parameter_groups",
        "describe_db_proxies",
        "describe_db_subnet_groups",
    ],
    "s3": ["list_buckets"],
    "secretsmanager": ["list_secrets"],
    "sns": ["list_topics", "list_subscriptions"],
    "sqs": ["list_queues"],
}
# Not the role by which it is deployed, which outlives it.
OURS = re.compile(rf"(?<!deploy-){PREFIX}-dev\b")


def find_ours(applied: Applied) -> set[str]:
    """The lists in which something of the environment is named."""
    return {
        f"{service}.{name}"
        for service, names in LISTS.items()
        for name in names
        for things in getattr(applied.client(service), name)().values()
        if isinstance(things, list)
        and OURS.search(json.dumps([thing for thing in things if not _is_deleted(thing)], default=str))
    }


def _is_deleted(thing: object) -> bool:
    """An endpoint is still listed when it is gone."""
    return isinstance(thing, dict) and thing.get("State") == "deleted"


def list_keys(applied: Applied) -> list[str]:
    """The states of the KMS keys that Terraform made: a deleted one is still there for days."""
    kms = applied.client("kms")
    keys = [kms.describe_key(KeyId=key["KeyId"])["KeyMetadata"] for key in kms.list_keys()["Keys"]]
    return [key["KeyState"] for key in keys if f"{PREFIX}-dev" in key["Description"]]


def test_destroy_leaves_nothing(applied: Applied) -> None:
    every = {f"{service}.{name}" for service, names in LISTS.items() for name in names}
    # Otherwise a list would say nothing by being empty afterwards.
    assert find_ours(applied) == every
    assert list_keys(applied) == ["Enabled"]
    changes = applied.root.change("destroy", *list_inputs())
    assert changes == {"add": 0, "change": 0, "remove": applied.changes["add"]}
    assert applied.root.run("state", "list").stdout == ""
    assert find_ours(applied) == set()
    assert list_keys(applied) == ["PendingDeletion"]
