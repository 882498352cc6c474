"""The resources of a module, as rendered by its own tests, so that Python repeats no expression of Terraform."""

import json
from typing import Any

from tests.terraform.program import Root

# The module whose resources other tests read.
RENDERED = {"observability"}

# A resource's values by its address.
Resources = dict[str, dict[str, Any]]
Message = dict[str, Any]


def run_tests(module: Root) -> list[Message]:
    """Init, validate, and run the module's own tests; return the messages of `terraform test`. Fail if a test fails."""
    # With -verbose each run has a message with the state it leaves, and with 14 MB of the provider's schema.
    options = ("-verbose",) if module.directory.name in RENDERED else ()
    module.run("init", "-backend=false", "-input=false", "-no-color")
    module.run("validate", "-no-color")
    done = module.run("test", "-json", *options, accepted=(0, 1))
    messages: list[Message] = [json.loads(line) for line in done.stdout.splitlines()]
    for message in messages:
        for name in ("test_state", "test_plan"):
            message.get(name, {}).pop("provider_schemas", None)
    failures = [message["diagnostic"] for message in messages if message["type"] == "diagnostic"]
    assert done.returncode == 0, failures
    return messages


def read_resources(messages: list[Message], run: str) -> Resources:
    """Return the resources in the state that the named run leaves."""
    [state] = [found["test_state"] for found in messages if found["type"] == "test_state" and found["@testrun"] == run]
    return {resource["address"]: resource["values"] for resource in state["root_module"]["resources"]}


def list_alarms(resources: Resources) -> dict[str, dict[str, Any]]:
    """Return the alarms by their keys."""
    prefix = 'aws_cloudwatch_metric_alarm.this["'
    return {
        address.removeprefix(prefix).removesuffix('"]'): values
        for address, values in resources.items()
        if address.startswith(prefix)
    }


def list_metrics(alarm: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the metrics that an alarm reads."""
    return [metric for query in alarm["metric_query"] for metric in query["metric"]] or [alarm]


def list_own_alarms(resources: Resources) -> dict[str, dict[str, Any]]:
    """Return the alarms on the service's own metrics."""
    alarms = list_alarms(resources)
    return {key: alarm for key, alarm in alarms.items() if not list_metrics(alarm)[0]["namespace"].startswith("AWS/")}
