"""Nights in which a function runs, fails or does not run, and the alarms that ring the morning after."""

import copy
import json
from collections.abc import Callable, Set
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from lambda_app.project import METRICS_NAMESPACE
from lambda_app.tasks import TaskFailedError
from tests.standins.cloudwatch import CloudWatch
from tests.terraform.rendered import Resources, list_metrics, list_own_alarms

DAY = timedelta(days=1)


@dataclass
class Nights:
    """The nights of a service of its own; `function` runs its nightly work with the settings."""

    function: Callable[..., Any]
    cloudwatch: CloudWatch
    alarms: Resources
    service: str
    capsys: pytest.CaptureFixture[str]

    def run(self, ago: int, **changed: str) -> None:
        """Do the work so many nights ago. It fails only with changed settings."""
        self.capsys.readouterr()
        try:
            self.function(SERVICE_NAME=self.service, **changed)
        except TaskFailedError:
            assert changed
        lines = self.capsys.readouterr().out.splitlines()
        assert any("_aws" in json.loads(line) for line in lines)
        self.cloudwatch.put_lines(lines, earlier=ago * DAY)

    def list_ringing(self) -> set[str]:
        now = datetime.now(UTC).replace(microsecond=0) + timedelta(seconds=1)
        return {key for key, alarm in self.alarms.items() if self.cloudwatch.evaluate(alarm, now) == "ALARM"}


def copy_alarms(observability: Resources, keys: Set[str], service: str) -> Resources:
    """Return these alarms for the metrics of another service."""
    alarms = copy.deepcopy({key: list_own_alarms(observability)[key] for key in keys})
    for alarm in alarms.values():
        for metric in list_metrics(alarm):
            metric |= {"namespace": METRICS_NAMESPACE, "dimensions": {"service": service}}
    return alarms
