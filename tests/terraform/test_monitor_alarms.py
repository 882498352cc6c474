"""The alarms of the monitor: the real function reports of a good night, a bad one, or does not run."""

import copy
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest

from lambda_app.project import METRICS_NAMESPACE
from lambda_app.settings import Settings
from lambda_app.tasks import TaskFailedError
from lambda_app.telemetry import LambdaHandler
from local.aws_services import AwsServices
from tests.bundles import Registry
from tests.functional.watching import Watched, create_watched
from tests.standins.cloudwatch import CloudWatch
from tests.terraform.rendered import Resources, list_metrics, list_own_alarms

DAY = timedelta(days=1)
ALARMS = {"coverage", "drift", "report-missing"}


@dataclass
class Nights:
    """The nights of a service of its own, and its alarms the morning after."""

    watched: Watched
    cloudwatch: CloudWatch
    alarms: Resources
    service: str
    capsys: pytest.CaptureFixture[str]

    def run(self, ago: int, **changed: str) -> None:
        """Make the report so many nights ago."""
        self.capsys.readouterr()
        try:
            self.watched.run(None, SERVICE_NAME=self.service, **changed)
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
    registry: Registry,
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
    watched = create_watched(admin_settings, registry, wire)
    yield Nights(watched, CloudWatch(aws), alarms, service, capsys)
    watched.close()


def test_nothing_rings_while_each_night_has_its_report(nights: Nights) -> None:
    for ago in range(3):
        nights.run(ago)
    assert nights.list_ringing() == set()


def test_one_missing_night_does_not_ring_and_two_do(nights: Nights) -> None:
    nights.run(ago=1)
    assert nights.list_ringing() == set()


def test_two_nights_without_a_report_ring_whatever_was_before(nights: Nights) -> None:
    for ago in (2, 3, 4):
        nights.run(ago)
    assert nights.list_ringing() == {"report-missing"}


def test_two_failed_nights_ring(nights: Nights) -> None:
    for ago in (0, 1):
        nights.run(ago, MODEL_BUCKET="nobodys")
    assert nights.list_ringing() == {"report-missing"}


def test_intervals_that_miss_ring_and_so_do_cases_of_one_kind(nights: Nights) -> None:
    records = nights.watched.predict([150.0] * 120)
    # Each interval is 50 to either side.
    nights.watched.observe_all(records, [250.0] * 120)
    nights.run(ago=0)
    assert nights.list_ringing() == {"coverage", "drift"}
