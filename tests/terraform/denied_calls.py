"""Calls that an administrator makes with success, and that the roles must be refused."""

import json
from typing import Any
from uuid import uuid4

from lambda_app.model.bundle import POINTER_KEY
from lambda_app.project import API_ROLE, REPLAY_ROLE
from local.aws_services import ACCOUNT
from tests.terraform.account import ADMIN, ELSEWHERE
from tests.terraform.allowed_calls import DATABASE_USERS, OWNER
from tests.terraform.stage import Stage, refusal_of
from tests.terraform.store_calls import (
    Call,
    ask_attributes,
    change_bucket_policy,
    dead_letters,
    delete_message,
    delete_object,
    elsewhere_queue,
    list_objects,
    models,
    move_pointer,
    purge,
    read_object,
    receive,
    records,
    send,
    set_attributes,
    write_model,
)

ALL = (*DATABASE_USERS, "proxy")


def read_secret(user: str) -> Call:
    return lambda stage, role: stage.client(role, "secretsmanager").get_secret_value(
        SecretId=stage.account.secret_arns()[user]
    )


def read_other_secret(stage: Stage, role: str) -> object:
    return stage.client(role, "secretsmanager").get_secret_value(SecretId=ELSEWHERE)


def write_secret(stage: Stage, role: str) -> object:
    secret_id = stage.account.secret_arns()[API_ROLE]
    current = stage.client(ADMIN, "secretsmanager").get_secret_value(SecretId=secret_id)["SecretString"]
    return stage.client(role, "secretsmanager").put_secret_value(SecretId=secret_id, SecretString=current)


def list_secrets(stage: Stage, role: str) -> object:
    return stage.client(role, "secretsmanager").list_secrets()


def invoke_function(stage: Stage, role: str) -> object:
    # With a payload, since moto mistakes the signature of a request without a body.
    return stage.client(role, "lambda").invoke(
        FunctionName=other_function(stage, role), InvocationType="DryRun", Payload=b"{}"
    )


def change_function(stage: Stage, role: str) -> object:
    return stage.client(role, "lambda").update_function_configuration(
        FunctionName=other_function(stage, role), Environment={"Variables": {"LOG_LEVEL": "DEBUG"}}
    )


def other_function(stage: Stage, role: str) -> str:
    """Name of a function that is not the role's."""
    other = "replay" if role == "api" else "api"
    return stage.account.role_arn(other).rpartition("/")[2]


def assume(role_name: str) -> Call:
    return lambda stage, role: stage.client(role, "sts").assume_role(
        RoleArn=f"arn:aws:iam::{ACCOUNT}:role/{role_name}", RoleSessionName="session"
    )


def widen_own_policy(stage: Stage, role: str) -> object:
    target = role if role != ADMIN else "api"
    everything = {"Effect": "Allow", "Action": "*", "Resource": "*"}
    policy = json.dumps({"Version": "2012-10-17", "Statement": [everything]})
    iam, name = stage.client(ADMIN, "iam"), stage.account.role_arn(target).rpartition("/")[2]
    try:
        return stage.client(role, "iam").put_role_policy(RoleName=name, PolicyName="more", PolicyDocument=policy)
    finally:
        if "more" in iam.list_role_policies(RoleName=name)["PolicyNames"]:
            iam.delete_role_policy(RoleName=name, PolicyName="more")


def read_roles(stage: Stage, role: str) -> object:
    return stage.client(role, "iam").list_roles()


def write_other_log(stage: Stage, role: str) -> object:
    """Into the log of another function."""
    group = f"/aws/lambda/{other_function(stage, role)}"
    return stage.client(role, "logs").create_log_stream(logGroupName=group, logStreamName=uuid4().hex)


def read_own_log(stage: Stage, role: str) -> object:
    group = stage.account.log_group(role if role in DATABASE_USERS else "api")
    return stage.client(role, "logs").filter_log_events(logGroupName=group)


def make_log_group(stage: Stage, role: str) -> object:
    return stage.client(role, "logs").create_log_group(logGroupName=f"/aws/lambda/{uuid4()}")


def open_security_group(stage: Stage, role: str) -> object:
    group = stage.client(ADMIN, "ec2").describe_security_groups()["SecurityGroups"][0]["GroupId"]
    permission: dict[str, Any] = {
        "IpProtocol": "tcp",
        "FromPort": 5432,
        "ToPort": 5432,
        "IpRanges": [{"CidrIp": f"10.{uuid4().int % 256}.{uuid4().int % 256}.0/24"}],
    }
    return stage.client(role, "ec2").authorize_security_group_ingress(GroupId=group, IpPermissions=[permission])


def list_instances(stage: Stage, role: str) -> object:
    return stage.client(role, "ec2").describe_instances()


def read_traces(stage: Stage, role: str) -> object:
    return stage.client(role, "xray").get_trace_summaries(StartTime=0, EndTime=1)


_NOT_API = ("replay", "migrate", "proxy")
_NOT_REPLAY = ("api", "migrate", "proxy")

DENIED_CALLS: dict[str, tuple[tuple[str, ...], Call]] = {
    "write a model": (ALL, write_model),
    "move the pointer": (ALL, move_pointer),
    "delete a model": (ALL, delete_object),
    "list the models": (ALL, list_objects),
    "read a model": (_NOT_API, read_object(models, POINTER_KEY)),
    "read beside the models": (ALL, read_object(models, "other/object")),
    "read a name that begins alike": (ALL, read_object(models, "models-of-others/object")),
    "read another bucket": (ALL, read_object(lambda _: ELSEWHERE, "models/object")),
    "change a bucket's policy": (ALL, change_bucket_policy),
    "send to the records": (_NOT_API, send(records)),
    "send to the dead letters": (_NOT_REPLAY, send(dead_letters)),
    "send to another queue": (ALL, send(elsewhere_queue)),
    "receive records": (_NOT_REPLAY, receive(records)),
    "receive dead letters": (ALL, receive(dead_letters)),
    "receive from another queue": (ALL, receive(elsewhere_queue)),
    "delete a record": (_NOT_REPLAY, delete_message(records)),
    "delete a dead letter": (ALL, delete_message(dead_letters)),
    "ask for the records' attributes": (("migrate", "proxy"), ask_attributes(records)),
    "ask for the dead letters' attributes": (ALL, ask_attributes(dead_letters)),
    "purge a queue": (ALL, purge),
    "change the records' queue": (ALL, set_attributes),
    "read api's password": (("api", "replay"), read_secret(API_ROLE)),
    "read replay's password": (("api", "replay"), read_secret(REPLAY_ROLE)),
    "read the master user's password": (tuple(DATABASE_USERS), read_secret(OWNER)),
    "read another secret": (ALL, read_other_secret),
    "write a password": (ALL, write_secret),
    "list the secrets": (ALL, list_secrets),
    "invoke another function": (ALL, invoke_function),
    "change another function": (ALL, change_function),
    "take another role": (ALL, assume(ELSEWHERE)),
    "widen its own policy": (ALL, widen_own_policy),
    "list the roles": (ALL, read_roles),
    "write another function's log": (ALL, write_other_log),
    "read a log": (ALL, read_own_log),
    "make a log group": (ALL, make_log_group),
    "open a security group": (ALL, open_security_group),
    "list the instances": (ALL, list_instances),
    "read traces": (ALL, read_traces),
}

CASES = [(name, role) for name, (roles, _) in DENIED_CALLS.items() for role in roles]


def find_refusal(stage: Stage, name: str, role: str) -> str:
    _, call = DENIED_CALLS[name]
    return refusal_of(lambda: call(stage, role))
