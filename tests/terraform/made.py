"""What a module makes, read from the state that its own tests leave, so that no expression is read twice."""

import json
from typing import Any

from tests.terraform.program import Root

# Without the first each connection gets an IAM token; the second is for other servers than AWS's; Lambda sets the rest.
NOT_SET = {
    "DATABASE_PASSWORD",
    "AWS_ENDPOINT_URL",
    "AWS_LAMBDA_LOG_STREAM_NAME",
    "AWS_REGION",
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
}

# Lambda gives these to every function itself.
OF_LAMBDA = {"AWS_REGION": "eu-west-1", "AWS_ACCESS_KEY_ID": "any", "AWS_SECRET_ACCESS_KEY": "any"}

# A resource's values by its address.
Resources = dict[str, dict[str, Any]]


def read_resources(module: Root, file: str, run: str) -> Resources:
    """What the named run of one of the module's test files makes."""
    module.run("init", "-backend=false", "-input=false", "-no-color")
    lines = module.run("test", "-json", "-verbose", f"-filter=tests/{file}.tftest.hcl").stdout.splitlines()
    messages = [json.loads(line) for line in lines]
    [state] = [message["test_state"] for message in messages if _is_state_of(message, run)]
    return {resource["address"]: resource["values"] for resource in state["root_module"]["resources"]}


def list_alarms(resources: Resources) -> dict[str, dict[str, Any]]:
    """The alarms by their keys."""
    prefix = 'aws_cloudwatch_metric_alarm.this["'
    return {
        address.removeprefix(prefix).removesuffix('"]'): values
        for address, values in resources.items()
        if address.startswith(prefix)
    }


def list_own_alarms(resources: Resources) -> dict[str, dict[str, Any]]:
    """Those on the service's own metrics."""
    alarms = list_alarms(resources)
    return {
        key: alarm
        for key, alarm in alarms.items()
        if not alarm["metric_query"] and not alarm["namespace"].startswith("AWS/")
    }


def _is_state_of(message: dict[str, Any], run: str) -> bool:
    return bool(message["type"] == "test_state" and message["@testrun"] == run)
