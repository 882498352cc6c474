"""`deploy doctor`: one line for each check, before there is an environment and once it is applied."""

import json
import os
import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest

from deploy.doctor import WITHOUT_PROXY, examine
from deploy.environment import Environment
from deploy.errors import DeployError
from lambda_app.telemetry import LambdaHandler
from local.aws_services import ACCOUNT, REGION, AwsServices
from tests.deploy.conftest import KEY_ID, SECRET, STATE_BUCKET
from tests.standins.functions import Functions
from tests.standins.gateway import Gateway
from tests.terraform.program import require_terraform

NAME = "diabetes-dev"
Connect = Callable[[str], Any]
Make = Callable[[], None]
Wire = Callable[..., LambdaHandler]
DEAD_QUEUE = "http://127.0.0.1:1/123456789012/records"


@pytest.fixture
def opened(cloud: AwsServices, monkeypatch: pytest.MonkeyPatch) -> Iterator[Environment]:
    with Functions(cloud.port) as functions:
        monkeypatch.setenv("AWS_ENDPOINT_URL", cloud.endpoint_url)
        monkeypatch.setenv("AWS_ENDPOINT_URL_LAMBDA", functions.url)
        session = boto3.Session(aws_access_key_id=KEY_ID, aws_secret_access_key=SECRET, region_name=REGION)
        yield Environment("dev", ACCOUNT, REGION, session)


@pytest.fixture
def make_proxy(connect_service: Connect) -> Make:
    def make() -> None:
        subnets = [subnet["SubnetId"] for subnet in connect_service("ec2").describe_subnets()["Subnets"][:2]]
        login = {"AuthScheme": "SECRETS", "IAMAuth": "REQUIRED"}
        settings = {"EngineFamily": "POSTGRESQL", "RoleArn": f"arn:aws:iam::{ACCOUNT}:role/proxy"}
        connect_service("rds").create_db_proxy(DBProxyName=NAME, Auth=[login], VpcSubnetIds=subnets, **settings)

    return make


@pytest.fixture
def proxy(connect_service: Connect, make_proxy: Make) -> Iterator[None]:
    """A proxy with its target, and two alarms of which one rings."""
    rds, cloudwatch = connect_service("rds"), connect_service("cloudwatch")
    make_proxy()
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
    return {finding.name: str(finding) for finding in examine(opened, lambda _: url, None)}


def test_empty_account_is_told_what_to_do(opened: Environment, monkeypatch: pytest.MonkeyPatch) -> None:
    require_terraform()
    lines = list_lines(opened)
    assert lines.pop("terraform").startswith("ok  terraform: v1.")
    # The rest of these lines depends on the machine.
    assert lines.pop("git").startswith("ok  git: 2.")
    assert lines.pop("container engine")[2:].startswith("  container engine: ")
    assert lines == {
        "state bucket": f"do  state bucket: there is no {STATE_BUCKET}. Apply terraform/bootstrap",
        "concurrency": "ok  concurrency: 1000 executions, of which 900 can be reserved",
        "zones": "ok  zones: eu-west-1a, eu-west-1b, eu-west-1c",
        "environment": "ok  environment: dev is not applied yet, or not completely",
    }
    monkeypatch.setattr(shutil, "which", lambda _: None)
    assert list_lines(opened)["container engine"] == (
        "do  container engine: neither docker nor podman is on PATH. Install one to build the image"
    )


def test_zones_are_those_that_terraform_takes() -> None:
    text = Path("terraform/modules/network/main.tf").read_text()
    [excluded] = re.findall(r"exclude_zone_ids = \[(.*)\]", text)
    assert set(re.findall(r'"(.+?)"', excluded)) == WITHOUT_PROXY


@pytest.mark.parametrize(
    ("answer", "line"),
    [
        ({"Server": {"Version": "27.3.1", "Arch": "amd64"}}, "ok  container engine: docker 27.3.1 for amd64"),
        (
            {"Server": {"Version": "27.3.1", "Arch": "arm64"}},
            "do  container engine: docker 27.3.1 for arm64. The image is for amd64: set up emulation (binfmt, QEMU)",
        ),
        # Podman, under Docker's name.
        ({"Client": {"Version": "4.3.1", "OsArch": "linux/amd64"}}, "ok  container engine: docker 4.3.1 for amd64"),
        ("", "do  container engine: docker does not tell its version. See what `docker version` prints"),
        (None, "do  container engine: docker does not answer. Start docker"),
    ],
)
def test_container_engine_is_named_with_its_architecture(
    answer: dict[str, Any] | str | None, line: str, opened: Environment, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    docker = tmp_path / "docker"
    docker.write_text(f"#!/bin/sh\necho '{json.dumps(answer)}'\nexit {int(answer is None)}\n")
    docker.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    assert list_lines(opened)["container engine"] == line


def test_program_that_is_missing_is_named(opened: Environment, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    lines = list_lines(opened)
    assert lines["git"] == "do  git: git is not installed, or not on PATH. Mend this first"
    assert lines["terraform"] == "do  terraform: terraform is not installed, or not on PATH. Mend this first"


def test_state_that_cannot_be_read_is_not_taken_for_an_environment_before_its_first_deployment(
    opened: Environment,
) -> None:
    def fail(_: Environment) -> str:
        raise DeployError("`terraform init` failed: its reason stands above")

    *_, last = examine(opened, fail, None)
    assert str(last) == "do  environment: `terraform init` failed: its reason stands above. Mend this first"


def test_failure_of_aws_is_told_without_advice_about_something_else(
    opened: Environment, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_EC2", "http://127.0.0.1:9")
    assert list_lines(opened)["zones"] == (
        "do  zones: AWS can't be reached: nothing answers at 127.0.0.1:9. Mend this first"
    )


def test_proxy_without_a_target_is_told(opened: Environment, connect_service: Connect, make_proxy: Make) -> None:
    make_proxy()
    line = list_lines(opened, "http://127.0.0.1:9")["proxy"]
    connect_service("rds").delete_db_proxy(DBProxyName=NAME)
    assert line == f"do  proxy: {NAME} has no target. Run `make deploy ENV=dev`"


@pytest.mark.usefixtures("bootstrap", "proxy")
def test_applied_environment_is_asked_for_its_state(
    api: LambdaHandler, opened: Environment, connect_service: Connect
) -> None:
    require_terraform()
    with Gateway(api, None, KEY_ID, SECRET) as gateway:
        lines = list_lines(opened, gateway.url)
    assert lines["state bucket"] == f"ok  state bucket: {STATE_BUCKET} in eu-west-1"
    assert lines["environment"] == "ok  environment: dev is applied"
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


def test_dependency_that_is_away_is_asked_for(wire: Wire, opened: Environment) -> None:
    with Gateway(wire(QUEUE_URL=DEAD_QUEUE), None, KEY_ID, SECRET) as gateway:
        line = list_lines(opened, gateway.url)["request"]
        assert line == (
            f"do  request: GET /health is degraded. `python -m deploy call --url {gateway.url} --event "
            "events/health.json` shows which dependency is away"
        )
