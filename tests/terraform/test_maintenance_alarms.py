"""The alarms on the daily work: the real function runs, fails or does not run on the last days."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import TYPE_CHECKING
from uuid import uuid4

import pytest

from lambda_app.settings import Settings
from lambda_app.telemetry import LambdaHandler
from local.aws_services import AwsServices
from local.records import make_record
from tests.functional.maintaining import Stage, create_stage
from tests.standins.cloudwatch import CloudWatch
from tests.terraform.nights import DAY, Nights, copy_alarms
from tests.terraform.rendered import Resources

if TYPE_CHECKING:
    from types_boto3_s3 import S3Client


@pytest.fixture
def stage(
    admin_settings: Settings, client: "S3Client", bucket: str, wire: Callable[..., LambdaHandler]
) -> Iterator[Stage]:
    stage = create_stage(admin_settings, client, bucket, wire)
    yield stage
    stage.close()


@pytest.fixture
def nights(stage: Stage, observability: Resources, aws: AwsServices, capsys: pytest.CaptureFixture[str]) -> Nights:
    service = f"alarms-{uuid4()}"
    alarms = copy_alarms(observability, {"maintenance-missing", "default-partition"}, service)
    return Nights(stage.run, CloudWatch(aws), alarms, service, capsys)


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


def test_two_failed_nights_ring(nights: Nights, stage: Stage) -> None:
    stage.insert([make_record(created_at=datetime.now(UTC) - DAY)])
    for ago in (0, 1):
        nights.run(ago, RECORDS_BUCKET="nobodys")
    assert nights.list_ringing() == {"maintenance-missing"}


def test_row_in_the_default_partition_rings_until_the_next_night(nights: Nights, stage: Stage) -> None:
    nights.run(ago=0)
    stage.insert([make_record(created_at=datetime(2001, 1, 1, tzinfo=UTC))], recorded_at=datetime.now(UTC))
    nights.run(ago=0)
    assert nights.list_ringing() == {"default-partition"}
