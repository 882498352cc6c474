"""The alarms of the monitor: the real function reports of a good night, a bad one, or does not run."""

from collections.abc import Callable, Iterator
from functools import partial
from uuid import uuid4

import pytest

from lambda_app.settings import Settings
from lambda_app.telemetry import LambdaHandler
from local.aws_services import AwsServices
from tests.bundles import Registry
from tests.functional.watching import Watched, create_watched
from tests.standins.cloudwatch import CloudWatch
from tests.terraform.nights import Nights, copy_alarms
from tests.terraform.rendered import Resources


@pytest.fixture
def watched(admin_settings: Settings, registry: Registry, wire: Callable[..., LambdaHandler]) -> Iterator[Watched]:
    watched = create_watched(admin_settings, registry, wire)
    yield watched
    watched.close()


@pytest.fixture
def nights(watched: Watched, observability: Resources, aws: AwsServices, capsys: pytest.CaptureFixture[str]) -> Nights:
    service = f"alarms-{uuid4()}"
    alarms = copy_alarms(observability, {"coverage", "drift", "report-missing"}, service)
    return Nights(partial(watched.run, None), CloudWatch(aws), alarms, service, capsys)


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


def test_intervals_that_miss_ring_and_so_do_cases_of_one_kind(nights: Nights, watched: Watched) -> None:
    records = watched.predict([150.0] * 120)
    # Each interval is 50 to either side.
    watched.observe_all(records, [250.0] * 120)
    nights.run(ago=0)
    assert nights.list_ringing() == {"coverage", "drift"}
