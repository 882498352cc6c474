"""Calls that Lambda makes with a function's role: traces, logs, the network, polling a queue."""

import json
from collections.abc import Callable
from uuid import uuid4

from tests.terraform.account import ADMIN, LAMBDA
from tests.terraform.stage import Stage, refusal_of


def connect_queue(stage: Stage, role: str) -> str:
    """Lambda asks for the queue's attributes when the function is connected to it."""
    url = stage.account.variables("replay")["QUEUE_URL"]
    sqs = stage.client(role, "sqs", LAMBDA)
    return refusal_of(lambda: sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["VisibilityTimeout"]))


def send_trace(stage: Stage, role: str) -> str:
    segment = {
        "name": role,
        "id": uuid4().hex[:16],
        "trace_id": "1-581cf771-a006649127e371903a2de979",
        "start_time": 1.0,
    }
    client = stage.client(role, "xray", LAMBDA)
    return refusal_of(
        lambda: client.put_trace_segments(TraceSegmentDocuments=[json.dumps({**segment, "end_time": 2.0})])
    )


def send_trace_counts(stage: Stage, role: str) -> str:
    client = stage.client(role, "xray", LAMBDA)
    return refusal_of(lambda: client.put_telemetry_records(TelemetryRecords=[{"Timestamp": 1.0}]))


def make_log_stream(stage: Stage, role: str) -> str:
    client = stage.client(role, "logs", LAMBDA)
    return refusal_of(
        lambda: client.create_log_stream(logGroupName=stage.account.log_group(role), logStreamName=uuid4().hex)
    )


def write_log(stage: Stage, role: str) -> str:
    group, stream = stage.account.log_group(role), uuid4().hex
    stage.client(ADMIN, "logs").create_log_stream(logGroupName=group, logStreamName=stream)
    line = {"timestamp": 1_800_000_000_000, "message": "a line"}
    client = stage.client(role, "logs", LAMBDA)
    return refusal_of(lambda: client.put_log_events(logGroupName=group, logStreamName=stream, logEvents=[line]))


def use_network(action: str, session: str | None) -> Callable[[Stage, str], str]:
    """Return a call that attaches a function to the network, made by Lambda or by the function's code."""

    def use(stage: Stage, role: str) -> str:
        admin, client = stage.client(ADMIN, "ec2"), stage.client(role, "ec2", session)
        subnet = admin.describe_subnets()["Subnets"][0]["SubnetId"]
        made = admin.create_network_interface(SubnetId=subnet)["NetworkInterface"]["NetworkInterfaceId"]
        admin.assign_private_ip_addresses(NetworkInterfaceId=made, SecondaryPrivateIpAddressCount=1)
        own = admin.describe_network_interfaces(NetworkInterfaceIds=[made])["NetworkInterfaces"][0]
        second = own["PrivateIpAddresses"][-1]["PrivateIpAddress"]
        calls: dict[str, Callable[[], object]] = {
            "AssignPrivateIpAddresses": lambda: client.assign_private_ip_addresses(
                NetworkInterfaceId=made, SecondaryPrivateIpAddressCount=1
            ),
            "CreateNetworkInterface": lambda: client.create_network_interface(SubnetId=subnet),
            "DeleteNetworkInterface": lambda: client.delete_network_interface(NetworkInterfaceId=made),
            "DescribeNetworkInterfaces": client.describe_network_interfaces,
            "DescribeSubnets": client.describe_subnets,
            "UnassignPrivateIpAddresses": lambda: client.unassign_private_ip_addresses(
                NetworkInterfaceId=made, PrivateIpAddresses=[second]
            ),
        }
        return refusal_of(calls[action])

    return use


# Allowed to Lambda and denied to the function's code.
NETWORK_ACTIONS = (
    "AssignPrivateIpAddresses",
    "CreateNetworkInterface",
    "DeleteNetworkInterface",
    "DescribeNetworkInterfaces",
    "DescribeSubnets",
    "UnassignPrivateIpAddresses",
)
