"""`deploy doctor`: one line for each check, before there is an environment and once it is applied."""

import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest

from deploy.doctor import WITHOUT_PROXY, examine
from deploy.environment import Environment
from lambda_app.telemetry import LambdaHandler
from local.aws_services import ACCOUNT, REGION, AwsServices
from tests.deploy.conftest import KEY_ID, SECRET, STATE_BUCKET
from tests.standins.functions import Functions
from tests.standins.gateway import Gateway
from tests.terraform.program import require_terraform

NAME = "diabetes-dev"
Connect = Callable[[str], Any]


@pytest.fixture
def opened(cloud: AwsServices, monkeypatch: pytest.MonkeyPatch) -> Iterator[Environment]:
    with Functions(cloud.port) as functions:
        monkeypatch.setenv("AWS_ENDPOINT_URL", cloud.endpoint_url)
        monkeypatch.setenv("AWS_ENDPOINT_URL_LAMBDA", functions.url)
        session = boto3.Session(aws_access_key_id=KEY_ID, aws_secret_access_key=SECRET, region_name=REGION)
        yield Environment("dev", ACCOUNT, REGION, session)


@pytest.fixture
def proxy(connect_service: Connect) -> Iterator[None]:
    """A proxy with its target, and two alarms of which one rings."""
    rds, cloudwatch = connect_service("rds"), connect_service("cloudwatch")
    subnets = [subnet["SubnetId"] for subnet in connect_service("ec2").describe_subnets()["Subnets"][:2]]
    login = {"AuthScheme": "SECRETS", "IAMAuth": "REQUIRED"}
    role = f"arn:aws:iam::{ACCOUNT}:role/proxy"
    rds.create_db_proxy(DBProxyName=NAME, EngineFamily="POSTGRESQL", Auth=[login], RoleArn=role, VpcSubnetIds=subnets)
    rds.create_db_instance(
        DBInstanceIdentifier=NAME, DBInstanceClass="db.t4g.micro", Engine="postgres", AllocatedStorage=20
    )
    rds.register_db_proxy_targets(DBProxyName=NAME, DBInstanceIdentifiers=[NAME])
    alarm = {
        "EvaluationPeriods": 1,
        "Threshold": 0,
        "ComparisonOperator": "GreaterThanThreshold",
        "Namespace": "AWS/SQS",
        "MetricName": "ApproximateNumberOfMessagesVisible",
        "Period": 300,
        "Statistic": "Maximum",
    }
    for name in ("dead-letters", "queue-age"):
        cloudwatch.put_metric_alarm(AlarmName=f"{NAME}-{name}", **alarm)
    cloudwatch.set_alarm_state(AlarmName=f"{NAME}-dead-letters", StateValue="ALARM", StateReason="a message")
    yield
    cloudwatch.delete_alarms(AlarmNames=[f"{NAME}-dead-letters", f"{NAME}-queue-age"])
    rds.delete_db_proxy(DBProxyName=NAME)
    rds.delete_db_instance(DBInstanceIdentifier=NAME, SkipFinalSnapshot=True)


def list_lines(opened: Environment, url: str | None = None) -> dict[str, str]:
    """The lines by the names of their checks."""
    return {finding.name: str(finding) for finding in examine(opened, url, None)}


def test_empty_account_is_told_what_to_do(opened: Environment, monkeypatch: pytest.MonkeyPatch) -> None:
    require_terraform()
    lines = list_lines(opened)
    assert lines.pop("terraform").startswith("ok  terraform: v1.")
    # The rest of this line depends on the machine.
    assert lines.pop("container engine")[2:].startswith("  container engine: ")
    assert lines == {
        "state bucket": f"do  state bucket: there is no {STATE_BUCKET}. Apply terraform/bootstrap",
        "concurrency": "ok  concurrency: 1000 executions, of which 900 can be reserved",
        "zones": "ok  zones: eu-west-1a, eu-west-1b, eu-west-1c",
    }
    monkeypatch.setattr(shutil, "which", lambda _: None)
    assert list_lines(opened)["container engine"] == (
        "do  container engine: neither docker nor podman is on PATH. Install one to build the image"
    )


def test_zones_are_those_that_terraform_takes() -> None:
    text = Path("terraform/modules/network/main.tf").read_text()
    [excluded] = re.findall(r"exclude_zone_ids = \[(.*)\]", text)
    assert set(re.findall(r'"(.+?)"', excluded)) == WITHOUT_PROXY


@pytest.mark.usefixtures("bootstrap", "proxy")
def test_applied_environment_is_asked_for_its_state(
    api: LambdaHandler, opened: Environment, connect_service: Connect
) -> None:
    require_terraform()
    with Gateway(api, None, KEY_ID, SECRET) as gateway:
        lines = list_lines(opened, gateway.url)
    assert lines["state bucket"] == f"ok  state bucket: {STATE_BUCKET} in eu-west-1"
    assert lines["proxy"] == f"ok  proxy: {NAME} reaches {NAME}"
    assert lines["pinned sessions"] == "ok  pinned sessions: no figures for the last 60 minutes"
    assert lines["alarms"] == f"do  alarms: {NAME}-dead-letters of 2. docs/operations.md has a section for each"
    assert lines["request"] == "ok  request: GET /health is ok"

    pins = {"MetricName": "DatabaseConnectionsCurrentlySessionPinned", "Value": 2.0}
    dimensions = [{"Name": "ProxyName", "Value": NAME}]
    connect_service("cloudwatch").put_metric_data(Namespace="AWS/RDS", MetricData=[{**pins, "Dimensions": dimensions}])
    lines = list_lines(opened, "http://127.0.0.1:9")
    assert lines["pinned sessions"] == (
        'do  pinned sessions: at most 2 in the last 60 minutes. Read docs/operations.md, "The proxy is pinned"'
    )
    assert lines["request"].startswith("do  request: the API can't be reached: nothing answers at 127.0.0.1:9")
