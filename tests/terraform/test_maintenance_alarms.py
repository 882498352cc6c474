"""The alarms on the daily work: the real function runs, fails or does not run on the last days."""

import copy
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING
from uuid import uuid4

import pytest

from lambda_app.project import METRICS_NAMESPACE
from lambda_app.settings import Settings
from lambda_app.tasks import TaskFailedError
from lambda_app.telemetry import LambdaHandler
from local.aws_services import AwsServices
from local.records import make_record
from tests.functional.maintaining import Stage, create_stage
from tests.standins.cloudwatch import CloudWatch
from tests.terraform.rendered import Resources, list_metrics, list_own_alarms

if TYPE_CHECKING:
    from types_boto3_s3 import S3Client

DAY = timedelta(days=1)
ALARMS = {"maintenance-missing", "default-partition"}


@dataclass
class Nights:
    """The nights of a service of its own, and its alarms the morning after."""

    stage: Stage
    cloudwatch: CloudWatch
    alarms: Resources
    service: str
    capsys: pytest.CaptureFixture[str]

    def run(self, ago: int, **changed: str) -> None:
        """Run the daily work so many nights ago."""
        self.capsys.readouterr()
        try:
            self.stage.run(SERVICE_NAME=self.service, **changed)
        except TaskFailedError:
            assert changed
        lines = self.capsys.readouterr().out.splitlines()
        assert any("_aws" in json.loads(line) for line in lines)
        self.cloudwatch.put_lines(lines, earlier=ago * DAY)

    def list_ringing(self) -> set[str]:
        now = datetime.now(UTC).replace(microsecond=0) + timedelta(seconds=1)
        return {key for key, alarm in self.alarms.items() if self.cloudwatch.evaluate(alarm, now) == "ALARM"}


@pytest.fixture
def nights(
    admin_settings: Settings,
    client: "S3Client",
    bucket: str,
    wire: Callable[..., LambdaHandler],
    observability: Resources,
    aws: AwsServices,
    capsys: pytest.CaptureFixture[str],
) -> Iterator[Nights]:
    service = f"alarms-{uuid4()}"
    alarms = copy.deepcopy({key: list_own_alarms(observability)[key] for key in ALARMS})
    for alarm in alarms.values():
        for metric in list_metrics(alarm):
            metric |= {"namespace": METRICS_NAMESPACE, "dimensions": {"service": service}}
    stage = create_stage(admin_settings, client, bucket, wire)
    yield Nights(stage, CloudWatch(aws), alarms, service, capsys)
    stage.close()


def test_nothing_rings_while_each_night_has_its_run(nights: Nights) -> None:
    for ago in range(3):
        nights.run(ago)
    assert nights.list_ringing() == set()


def test_one_missing_night_is_made_up_for_and_two_ring(nights: Nights) -> None:
    nights.run(ago=1)
    assert nights.list_ringing() == set()


def test_two_nights_without_a_run_ring_whatever_was_before(nights: Nights) -> None:
    for ago in (2, 3, 4):
        nights.run(ago)
    assert nights.list_ringing() == {"maintenance-missing"}


def test_it_rings_when_there_never_was_a_run(nights: Nights) -> None:
    assert nights.list_ringing() == {"maintenance-missing"}


def test_two_failed_nights_ring(nights: Nights) -> None:
    nights.stage.insert([make_record(created_at=datetime.now(UTC) - DAY)])
    for ago in (0, 1):
        nights.run(ago, RECORDS_BUCKET="nobodys")
    assert nights.list_ringing() == {"maintenance-missing"}


def test_row_in_the_default_partition_rings_until_the_next_night(nights: Nights) -> None:
    nights.run(ago=0)
    nights.stage.insert([make_record(created_at=datetime(2001, 1, 1, tzinfo=UTC))], recorded_at=datetime.now(UTC))
    nights.run(ago=0)
    assert nights.list_ringing() == {"default-partition"}
