"""The alarms on AWS's metrics: each goes off in its situation, and not before, with values as AWS documents them."""

import copy
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest

from local.aws_services import AwsServices
from tests.standins.cloudwatch import CloudWatch
from tests.terraform.rendered import Resources, list_alarms, list_metrics

NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)
PERIOD_MINUTES = 5
FUNCTIONS = ("api", "replay", "migrate", "maintain", "monitor")
GIB = 1024**3

# The values of a metric in one minute.
Minute = Sequence[float]


def repeat(minute: Minute, count: int = PERIOD_MINUTES) -> list[Minute]:
    return [minute] * count


# The situations in which each alarm goes off: the values of its metrics, minute after minute up to now.
FIRING: dict[str, list[dict[str, list[Minute]]]] = {
    "gateway-5xx": [
        # Two of a hundred, whether or not API Gateway sends a zero for the requests that went well.
        {"Count": repeat([1] * 20), "5xx": [[1], [], [1], [], []]},
        {"Count": repeat([1] * 20), "5xx": [[1] + [0] * 19, [0] * 20, [1] + [0] * 19, [0] * 20, [0] * 20]},
        {"Count": [[1]], "5xx": [[1]]},
    ],
    "latency": [
        {"Latency": repeat([40] * 98 + [9000] * 2, 15)},
        # A quiet service: seven requests in a quarter of an hour.
        {"Latency": [[9000], [], [], [], [], [9000], [40], [], [40], [], [40], [40], [], [9000], []]},
    ],
    "queue-age": [{"ApproximateAgeOfOldestMessage": [[60 * minute] for minute in range(17)]}],
    "dead-letters": [{"ApproximateNumberOfMessagesVisible": [[1]]}],
    # One of the hosts of the proxy has it.
    "proxy-pinned": [{"DatabaseConnectionsCurrentlySessionPinned": repeat([0, 1], 10)}],
    "database-cpu": [{"CPUUtilization": repeat([95], 15)}],
    "database-storage": [{"FreeStorageSpace": [[20 * GIB], [5 * GIB], [3.9 * GIB]]}],
    "database-connections": [{"DatabaseConnections": repeat([61], 10)}],
    **{f"throttles-{name}": [{"Throttles": [[1]]}] for name in FUNCTIONS},
    **{f"errors-{name}": [{"Errors": [[0], [1], [0]]}] for name in FUNCTIONS},
}

# The situations in which it does not go off.
QUIET: dict[str, list[dict[str, list[Minute]]]] = {
    "gateway-5xx": [
        {},
        {"Count": repeat([1] * 20), "5xx": [[1], [], [], [], []]},
        {"Count": repeat([1] * 20), "4xx": repeat([1] * 20), "5xx": repeat([0] * 20)},
        {"Count": repeat([1] * 20), "4xx": repeat([1] * 20)},
    ],
    "latency": [
        {"Latency": repeat([40] * 100, 15)},
        {"Latency": repeat([40] * 199 + [9000], 15)},
        # Five bad minutes.
        {"Latency": [*repeat([40] * 100), *repeat([9000] * 100), *repeat([40] * 100)]},
    ],
    "queue-age": [{"ApproximateAgeOfOldestMessage": repeat([360], 15)}],
    "dead-letters": [{"ApproximateNumberOfMessagesVisible": repeat([0])}],
    "proxy-pinned": [{"DatabaseConnectionsCurrentlySessionPinned": [*repeat([0, 0]), *repeat([0, 1])]}],
    "database-cpu": [{"CPUUtilization": [*repeat([95], 10), *repeat([20])]}],
    "database-storage": [{"FreeStorageSpace": repeat([4.1 * GIB])}],
    "database-connections": [{"DatabaseConnections": [*repeat([61]), *repeat([60])]}],
    **{f"throttles-{name}": [{}, {"Throttles": repeat([0])}] for name in FUNCTIONS},
    **{f"errors-{name}": [{}, {"Errors": repeat([0] * 20)}] for name in FUNCTIONS},
}

CASES = [
    pytest.param(key, series, state, id=f"{key} {state} {number}")
    for state, table in (("ALARM", FIRING), ("OK", QUIET))
    for key, cases in table.items()
    for number, series in enumerate(cases)
]


@pytest.mark.parametrize(("key", "series", "state"), CASES)
def test_an_alarm_goes_off_in_its_situation(
    key: str, series: dict[str, list[Minute]], state: str, observability: Resources, aws: AwsServices
) -> None:
    alarm = copy.deepcopy(list_alarms(observability)[key])
    # moto has the metrics of the other tests too.
    own = {name: f"{value}-{uuid4()}" for name, value in list_metrics(alarm)[0]["dimensions"].items()}
    for metric in list_metrics(alarm):
        metric["dimensions"] = own
    cloudwatch = CloudWatch(aws)
    for name, minutes in series.items():
        for back, values in enumerate(reversed(minutes), start=1):
            if values:
                at = NOW - timedelta(minutes=back)
                cloudwatch.put_values(list_metrics(alarm)[0]["namespace"], name, own, at, values)
    assert cloudwatch.evaluate(alarm, NOW) == state


def test_each_alarm_has_its_situations(observability: Resources) -> None:
    of_aws = {
        key
        for key, alarm in list_alarms(observability).items()
        if list_metrics(alarm)[0]["namespace"].startswith("AWS/")
    }
    assert of_aws == set(FIRING) == set(QUIET)
