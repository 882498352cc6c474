"""Checks that a person can run before and after a deployment; each result is one line, with what to do."""

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from pathlib import Path

from botocore.exceptions import BotoCoreError, ClientError
from botocore.parsers import ResponseParserError

from deploy.call import explain_refusal, read_event, send_event
from deploy.environment import Environment
from deploy.errors import CallError, DeployError
from deploy.image import find_engine
from deploy.process import run_program
from deploy.quota import UNRESERVED
from lambda_app.project import PREFIX
from training.aws_errors import describe_aws_error

TERRAFORM = (1, 11)
# As terraform/modules/network excludes them.
WITHOUT_PROXY = {"use1-az3", "use1-az6"}
PINNED_MINUTES = 60
# The texts of errors say what to do.
MEND = "Mend this first"


# What was found, and what to do, if anything.
Result = tuple[str, str]


@dataclass(frozen=True)
class Finding:
    """The result of a check: `text` says what was found, `advice` what to do, if anything."""

    name: str
    text: str
    advice: str = ""

    def __str__(self) -> str:
        return f"{'do' if self.advice else 'ok'}  {self.name}: {self.text}{f'. {self.advice}' if self.advice else ''}"


def examine(
    environment: Environment, find_api: Callable[[Environment], str | None], token: str | None
) -> Iterator[Finding]:
    """Yield the findings in turn; those about a deployed environment only if `find_api` returns its URL."""
    api_url: str | None = None

    def check_environment(environment: Environment) -> Result:
        nonlocal api_url
        api_url = find_api(environment)
        return f"{environment.name} is {'applied' if api_url else 'not applied yet, or not completely'}", ""

    yield from _run(
        environment,
        ("git", _check_git),
        ("terraform", _check_terraform),
        ("container engine", _check_engine),
        ("state bucket", _check_bucket),
        ("concurrency", _check_quota),
        ("zones", _check_zones),
        ("environment", check_environment),
    )
    if api_url:
        url = api_url
        yield from _run(
            environment,
            ("proxy", _check_proxy),
            ("pinned sessions", _check_pins),
            ("alarms", _check_alarms),
            ("request", lambda environment: _check_request(environment, url, token)),
        )


def _run(environment: Environment, *checks: tuple[str, Callable[[Environment], Result]]) -> Iterator[Finding]:
    for name, check in checks:
        try:
            yield Finding(name, *check(environment))
        except (BotoCoreError, ClientError, ResponseParserError) as error:
            yield Finding(name, describe_aws_error(error, "AWS"), MEND)
        except (CallError, DeployError) as error:
            yield Finding(name, str(error), MEND)


def _check_git(_: Environment) -> Result:
    _code, output = run_program("git", "--version", capture=True)
    return output.strip().removeprefix("git version "), ""


def _check_terraform(_: Environment) -> Result:
    _code, output = run_program("terraform", "version", capture=True)
    found = re.search(r"v(\d+)\.(\d+)\.\d+", output)
    version = found[0] if found else "unknown"
    is_recent = found is not None and (int(found[1]), int(found[2])) >= TERRAFORM
    return version, "" if is_recent else "Install Terraform 1.11 or later"


def _check_engine(_: Environment) -> Result:
    name = find_engine()
    if name is None:
        return "neither docker nor podman is on PATH", "Install one to build the image"
    code, output = run_program(name, "version", "--format", "{{json .}}", capture=True)
    if code != 0:
        return f"{name} does not answer", f"Start {name}"
    try:
        versions = json.loads(output)
        # Podman has a server only in a virtual machine, and names the platform.
        builder = versions.get("Server") or versions["Client"]
        version, architecture = builder["Version"], builder.get("Arch") or builder["OsArch"].rpartition("/")[2]
    except (ValueError, AttributeError, KeyError):
        return f"{name} does not tell its version", f"See what `{name} version` prints"
    advice = "" if architecture == "amd64" else "The image is for amd64: set up emulation (binfmt, QEMU)"
    return f"{name} {version} for {architecture}", advice


def _check_bucket(environment: Environment) -> Result:
    name = environment.state_bucket_name
    try:
        found = environment.session.client("s3").head_bucket(Bucket=name, ExpectedBucketOwner=environment.account_id)
    except ClientError as error:
        if error.response["ResponseMetadata"]["HTTPStatusCode"] != HTTPStatus.NOT_FOUND:
            raise
        return f"there is no {name}", "Apply terraform/bootstrap"
    region = found.get("BucketRegion", environment.region)
    if region == environment.region:
        return f"{name} in {region}", ""
    advice = f"Apply terraform/bootstrap in {environment.region}, or change the region of {environment.name}"
    return f"{name} is in {region}, not in {environment.region}", advice


def _check_quota(environment: Environment) -> Result:
    limits = environment.session.client("lambda").get_account_settings()["AccountLimit"]
    free = max(0, limits["UnreservedConcurrentExecutions"] - UNRESERVED)
    # The plan knows how much it needs: deploy/quota.py compares that.
    return f"{limits['ConcurrentExecutions']} executions, of which {free} can be reserved", ""


def _check_zones(environment: Environment) -> Result:
    filters = [
        {"Name": "opt-in-status", "Values": ["opt-in-not-required"]},
        {"Name": "state", "Values": ["available"]},
    ]
    answer = environment.session.client("ec2").describe_availability_zones(Filters=filters)
    zones = sorted(zone["ZoneName"] for zone in answer["AvailabilityZones"] if zone["ZoneId"] not in WITHOUT_PROXY)
    advice = "" if len(zones) >= 2 else "RDS Proxy needs two zones: choose another region"
    return ", ".join(zones) or "none", advice


def _check_proxy(environment: Environment) -> Result:
    name = f"{PREFIX}-{environment.name}"
    targets = environment.session.client("rds").describe_db_proxy_targets(DBProxyName=name)["Targets"]
    if not targets:
        return f"{name} has no target", f"Run `make deploy ENV={environment.name}`"
    target = targets[0]
    health = target.get("TargetHealth", {})
    if health.get("State") == "AVAILABLE":
        return f"{name} reaches {target.get('RdsResourceId', 'the database')}", ""
    told = " ".join(health.get(part, "") for part in ("State", "Reason", "Description")).strip() or "unknown"
    advice = "The roles' passwords do not work before the first migration: run migrate, and wait some minutes"
    return f"{name}'s target is {told}", advice


def _check_pins(environment: Environment) -> Result:
    # The present minute too.
    end = datetime.now(UTC) + timedelta(minutes=1)
    points = environment.session.client("cloudwatch").get_metric_statistics(
        Namespace="AWS/RDS",
        MetricName="DatabaseConnectionsCurrentlySessionPinned",
        Dimensions=[{"Name": "ProxyName", "Value": f"{PREFIX}-{environment.name}"}],
        StartTime=end - timedelta(minutes=PINNED_MINUTES),
        EndTime=end,
        Period=60,
        Statistics=["Maximum"],
    )["Datapoints"]
    most = max((point["Maximum"] for point in points), default=None)
    if most is None:
        return f"no figures for the last {PINNED_MINUTES} minutes", ""
    advice = 'Read docs/operations.md, "The proxy is pinned"' if most > 0 else ""
    return f"at most {most:.0f} in the last {PINNED_MINUTES} minutes", advice


def _check_alarms(environment: Environment) -> Result:
    pages = environment.session.client("cloudwatch").get_paginator("describe_alarms")
    prefix = f"{PREFIX}-{environment.name}-"
    alarms = [alarm for page in pages.paginate(AlarmNamePrefix=prefix) for alarm in page["MetricAlarms"]]
    ringing = [alarm["AlarmName"] for alarm in alarms if alarm["StateValue"] == "ALARM"]
    if ringing:
        return f"{', '.join(ringing)} of {len(alarms)}", "docs/operations.md has a section for each"
    return f"none of {len(alarms)}", "" if alarms else f"Run `make deploy ENV={environment.name}`"


def _check_request(environment: Environment, url: str, token: str | None) -> Result:
    event_path = Path("events") / "health.json"
    answer = send_event(url, read_event(event_path), environment.session, environment.region, token)
    if answer.status != HTTPStatus.OK:
        text = f"GET /health returned {answer.status}: {answer.body[:500].decode(errors='replace')}"
        return text, explain_refusal(answer) or 'Read docs/operations.md, "Requests fail"'
    status = answer.read_json()["status"]
    told = f"`python -m deploy call --url {url} --event {event_path}` shows which dependency is away"
    advice = "" if status == "ok" else told
    return f"GET /health is {status}", advice
