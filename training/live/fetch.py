"""Asks the monitor for a new report."""

import json
from typing import TYPE_CHECKING, Any

from stacks.functions import Function
from training.live.errors import LiveError
from training.storage import explain_failures, fetch_object

if TYPE_CHECKING:
    from types_boto3_s3 import S3Client

FORMAT = 1


def fetch_report(monitor: Function, client: "S3Client", bucket: str) -> dict[str, Any]:
    """Let the monitor make a report and read it from the bucket."""
    key = monitor({"task": "report"})["report_key"]
    with explain_failures(bucket):
        found = fetch_object(client, bucket, key)
    if found is None:
        raise LiveError(f"the report {key} is not in bucket {bucket}")
    report: dict[str, Any] = json.loads(found.content)
    if report.get("format") != FORMAT:
        raise LiveError(f"the report has format {report.get('format')}, and this command reads {FORMAT}")
    return report
