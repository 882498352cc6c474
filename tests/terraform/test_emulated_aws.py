"""Attributes that moto forgets and the emulated AWS keeps. Once moto keeps one, its change can go."""

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from local.aws_services import ACCOUNT, REGION
from tests.terraform.applied import connect
from tests.terraform.server import serve_aws

Connect = Callable[[str], Any]
TLS_ONLY = {
    "Version": "2012-10-17",
    "Statement": [
        {
            "Effect": "Deny",
            "Principal": "*",
            "Action": "s3:*",
            "Resource": ["arn:aws:s3:::tls-only/*"],
            "Condition": {"Bool": {"aws:SecureTransport": "false"}},
        }
    ],
}


def remembers_rule_description(connect_to: Connect) -> bool:
    ec2 = connect_to("ec2")
    group = ec2.create_security_group(GroupName="described", Description="any")["GroupId"]
    pairs = [{"GroupId": group, "Description": "From itself"}]
    ec2.authorize_security_group_ingress(
        GroupId=group, IpPermissions=[{"IpProtocol": "tcp", "FromPort": 1, "ToPort": 1, "UserIdGroupPairs": pairs}]
    )
    rules = ec2.describe_security_group_rules(Filters=[{"Name": "group-id", "Values": [group]}])["SecurityGroupRules"]
    return any(rule.get("Description") == "From itself" for rule in rules)


def tells_who_set_parameter(connect_to: Connect) -> bool:
    rds, name = connect_to("rds"), "parameters"
    rds.create_db_parameter_group(DBParameterGroupName=name, DBParameterGroupFamily="postgres17", Description="any")
    parameter = {"ParameterName": "log_connections", "ParameterValue": "1", "ApplyMethod": "immediate"}
    rds.modify_db_parameter_group(DBParameterGroupName=name, Parameters=[parameter])
    [found] = rds.describe_db_parameters(DBParameterGroupName=name, Source="user")["Parameters"]
    return bool(found.get("Source") == "user")


def _create_instance(connect_to: Connect, name: str) -> dict[str, Any]:
    instance: dict[str, Any] = connect_to("rds").create_db_instance(
        DBInstanceIdentifier=name,
        DBInstanceClass="db.t4g.micro",
        Engine="postgres",
        AllocatedStorage=20,
        MasterUsername="owner",
        ManageMasterUserPassword=True,
        EnablePerformanceInsights=True,
    )["DBInstance"]
    return instance


def remembers_performance_insights(connect_to: Connect) -> bool:
    return _create_instance(connect_to, "insights").get("PerformanceInsightsEnabled") is True


def takes_todays_authority(connect_to: Connect) -> bool:
    return bool(_create_instance(connect_to, "authority")["CACertificateIdentifier"] == "rds-ca-rsa2048-g1")


def _create_function(connect_to: Connect, name: str) -> dict[str, Any]:
    role = connect_to("iam").create_role(RoleName=name, AssumeRolePolicyDocument="{}")["Role"]["Arn"]
    function: dict[str, Any] = connect_to("lambda").create_function(
        FunctionName=name,
        Role=role,
        PackageType="Image",
        Code={"ImageUri": f"{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com/any@sha256:{'0' * 64}"},
        LoggingConfig={"LogFormat": "Text", "LogGroup": "/aws/lambda/any"},
        Publish=True,
    )
    return function


def remembers_logging_config(connect_to: Connect) -> bool:
    return bool(_create_function(connect_to, "logging").get("LoggingConfig", {}).get("LogGroup") == "/aws/lambda/any")


def keeps_alias_of_event_source(connect_to: Connect) -> bool:
    client, name = connect_to("lambda"), "mapped"
    _create_function(connect_to, name)
    alias = client.create_alias(FunctionName=name, Name="live", FunctionVersion="1")["AliasArn"]
    url = connect_to("sqs").create_queue(QueueName=name)["QueueUrl"]
    source = connect_to("sqs").get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    return bool(client.create_event_source_mapping(EventSourceArn=source, FunctionName=alias)["FunctionArn"] == alias)


def remembers_redrive_allow_policy(connect_to: Connect) -> bool:
    sqs = connect_to("sqs")
    url = sqs.create_queue(QueueName="allowing")["QueueUrl"]
    sqs.set_queue_attributes(QueueUrl=url, Attributes={"RedriveAllowPolicy": '{"redrivePermission":"denyAll"}'})
    kept = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
    sqs.set_queue_attributes(QueueUrl=url, Attributes={"RedriveAllowPolicy": ""})
    removed = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
    return "RedriveAllowPolicy" in kept.keys() - removed.keys()


def keeps_policy_when_another_is_set(connect_to: Connect) -> bool:
    sqs = connect_to("sqs")
    url = sqs.create_queue(QueueName="keeping", Attributes={"Policy": json.dumps(TLS_ONLY)})["QueueUrl"]
    sqs.set_queue_attributes(QueueUrl=url, Attributes={"RedriveAllowPolicy": '{"redrivePermission":"denyAll"}'})
    return "Policy" in sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]


def returns_redrive_policy_as_sent(connect_to: Connect) -> bool:
    sqs = connect_to("sqs")
    sqs.create_queue(QueueName="dead")
    sent = f'{{"deadLetterTargetArn":"arn:aws:sqs:{REGION}:{ACCOUNT}:dead","maxReceiveCount":1000}}'
    url = sqs.create_queue(QueueName="redriving", Attributes={"RedrivePolicy": sent})["QueueUrl"]
    attributes = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
    return bool(attributes["RedrivePolicy"] == sent)


def allows_what_is_denied_without_tls(connect_to: Connect) -> bool:
    s3 = connect_to("s3")
    s3.create_bucket(Bucket="tls-only", CreateBucketConfiguration={"LocationConstraint": REGION})
    s3.put_bucket_policy(Bucket="tls-only", Policy=json.dumps(TLS_ONLY))
    try:
        s3.put_object(Bucket="tls-only", Key="any", Body=b"")
    except s3.exceptions.ClientError as error:
        return bool(error.response["ResponseMetadata"]["HTTPStatusCode"] != 403)
    return True


PROBES = [
    remembers_rule_description,
    tells_who_set_parameter,
    remembers_performance_insights,
    takes_todays_authority,
    remembers_logging_config,
    keeps_alias_of_event_source,
    remembers_redrive_allow_policy,
    keeps_policy_when_another_is_set,
    returns_redrive_policy_as_sent,
    allows_what_is_denied_without_tls,
]


@pytest.fixture(scope="module", params=["local.moto_server", "tests.terraform.emulated_aws"])
def server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Connect]]:
    """The module that serves, and a function that connects to it: plain moto, and moto as changed here."""
    with serve_aws(request.param, tmp_path_factory.mktemp("server") / "server.log") as endpoint_url:
        yield request.param, lambda service: connect(endpoint_url, service)


@pytest.mark.parametrize("probe", PROBES)
def test_only_the_emulated_aws_remembers(server: tuple[str, Connect], probe: Callable[[Connect], bool]) -> None:
    module, connect_to = server
    assert probe(connect_to) is (module == "tests.terraform.emulated_aws")
