"""Runs the monitor at times of the story, and keeps when its alarms begin."""

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from lambda_app.handler import MAINTENANCE_SECONDS
from lambda_app.log.database import Database
from lambda_app.monitor.bucket import ReportBucket
from lambda_app.monitor.report import make_report
from lambda_app.tasks import Tools
from lambda_app.telemetry import Telemetry
from local.aws_client import connect_aws
from local.run import read_settings
from local.stack import Stack


class Watch:
    """The monitor beside the stack. `report` is the newest report, `runs` their number."""

    def __init__(self, stack: Stack) -> None:
        settings = read_settings(stack, "monitor")
        wait = MAINTENANCE_SECONDS
        self._database = Database(settings, wait_seconds=wait, deadline_seconds=wait, skips_failing=False)
        s3 = connect_aws("s3", stack.aws.endpoint_url)
        self._tools = Tools(settings, self._database, s3, Telemetry(settings, emit_emf=False))
        self._bucket = ReportBucket(s3, stack.aws.bucket)
        self._alarms: set[str] = set()
        self.report: dict[str, Any] = {}
        self.runs = 0

    def run(self, now: datetime) -> list[str]:
        """Make a report and return the kinds of alarm, "coverage" and "drift", that it has and the last one had not."""
        self.report = make_report(self._tools, self._bucket, now)
        self._bucket.write_report(self.report, now)
        self.runs += 1
        former, self._alarms = self._alarms, set(_list_alarms(self.report))
        return sorted(self._alarms - former)

    def list_drifted(self) -> list[str]:
        """The columns that drift in the newest report."""
        return [test["name"] for test in self.report["drift"]["tests"] if test["is_drift"]]

    def find_version(self) -> dict[str, Any]:
        """The part of the newest report about the current version."""
        [version] = [version for version in self.report["versions"] if version["is_current"]]
        return dict(version)

    def close(self) -> None:
        """End the connection."""
        self._database.close()


def _list_alarms(report: dict[str, Any]) -> Iterator[str]:
    for version in report["versions"]:
        if version["is_current"] and version["sentinel"] and version["sentinel"]["is_alarm"]:
            yield "coverage"
    if report["drift"] and report["drift"]["is_alarm"]:
        yield "drift"
