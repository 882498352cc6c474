"""The environment dev, made by the AWS provider in an emulated AWS, is complete and stable."""

import json

from tests.terraform.applied import Applied, list_resources


def test_everything_planned_was_made(applied: Applied) -> None:
    planned = list_resources(applied.plan["planned_values"])
    assert applied.changes == {"add": len(planned), "change": 0, "remove": 0}
    assert list_resources(applied.state["values"]).keys() == planned.keys()


def test_second_plan_is_empty(applied: Applied) -> None:
    changes = {
        change["address"]: change["change"]
        for change in applied.second_plan["resource_changes"]
        if change["change"]["actions"] != ["no-op"]
    }
    assert not changes
    assert not applied.second_plan["applyable"], applied.second_plan["output_changes"]


def test_roles_keep_their_network_policy_until_the_network_is_gone(applied: Applied) -> None:
    """Terraform destroys a resource before those that it depends on.

    Lambda needs the policy to remove its interfaces, for up to half an hour after a function is gone.
    """
    depends_on = {
        f"{resource.get('module')}.{resource['type']}.{resource['name']}": {
            name for instance in resource["instances"] for name in instance.get("dependencies", [])
        }
        for resource in json.loads(applied.root.run("state", "pull").stdout)["resources"]
    }
    policy = "module.environment.module.service.aws_iam_role_policy.network"
    network = [
        f"module.environment.module.network.{name}" for name in ("aws_subnet.private", "aws_security_group.this")
    ]
    assert [name for name in network if policy not in depends_on[name]] == []
