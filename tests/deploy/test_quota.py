"""The account's quota of concurrent executions, and what a plan takes of it."""

from collections.abc import Iterator
from typing import Any

import boto3
import pytest

from deploy.environment import Environment
from deploy.errors import DeployError
from deploy.quota import check_concurrency
from local.aws_services import ACCOUNT, REGION, AwsServices
from tests.standins.functions import Functions


@pytest.fixture
def functions(aws: AwsServices, monkeypatch: pytest.MonkeyPatch) -> Iterator[Functions]:
    with Functions(aws.port) as functions:
        monkeypatch.setenv("AWS_ENDPOINT_URL_LAMBDA", functions.url)
        yield functions


def change(before: dict[str, int] | None, after: dict[str, int] | None) -> dict[str, Any]:
    return {"change": {"before": before, "after": after}}


def reserve(count: int | None) -> dict[str, Any]:
    return {"reserved_concurrent_executions": count}


PROVISIONED = {"provisioned_concurrent_executions": 2}


@pytest.mark.parametrize(
    ("changes", "reserved", "needed"),
    [
        ([change(None, reserve(20)), change(None, reserve(2))], 0, 122),
        ([change(None, PROVISIONED)], 0, 102),
        # They are part of the reservation.
        ([change(None, reserve(20)), change(None, PROVISIONED)], 0, 120),
        # Of 30 that are reserved, 20 are this environment's already.
        ([change(reserve(20), reserve(25))], 30, 135),
        ([change(reserve(20), reserve(-1)), change(None, PROVISIONED)], 30, 112),
    ],
)
def test_quota_must_hold_what_is_planned_what_others_reserve_and_the_unreserved_rest(
    changes: list[dict[str, Any]], reserved: int, needed: int, functions: Functions
) -> None:
    session = boto3.Session(aws_access_key_id="local", aws_secret_access_key="local", region_name=REGION)
    dev = Environment("dev", ACCOUNT, REGION, session)
    functions.reserved = reserved
    functions.quota = needed
    check_concurrency(dev, changes)
    functions.quota = needed - 1
    with pytest.raises(DeployError, match=f"dev needs a quota of {needed} concurrent executions"):
        check_concurrency(dev, changes)
