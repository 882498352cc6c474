"""The environment dev, made by the AWS provider in an emulated AWS, is complete and stable."""

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
