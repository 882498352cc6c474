"""The bucket of the models: what the monitor reads of it, and where it writes its reports."""

import json
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

if TYPE_CHECKING:
    from types_boto3_s3 import S3Client

REPORT_KEY = "reports/performance.json"
HISTORY = "reports/history/"


@dataclass(frozen=True)
class ReportBucket:
    """The objects of a bucket. Failures are botocore's errors."""

    s3: "S3Client"
    name: str

    def read(self, key: str) -> bytes | None:
        """Return the content; None without such an object."""
        try:
            return self.s3.get_object(Bucket=self.name, Key=key)["Body"].read()
        except ClientError as error:
            # Without the right to list the bucket, S3 says AccessDenied.
            if error.response["Error"]["Code"] in {"NoSuchKey", "AccessDenied"}:
                return None
            raise

    def write_report(self, report: dict[str, Any], at: datetime) -> str:
        """Add the report to the history, then replace the newest; returns its key in the history."""
        body = json.dumps(report, ensure_ascii=False, allow_nan=False).encode()
        key = f"{HISTORY}{at:%Y%m%dT%H%M%S.%fZ}.json"
        for target in (key, REPORT_KEY):
            self.s3.put_object(
                Bucket=self.name, Key=target, Body=body, ContentType="application/json", ChecksumAlgorithm="SHA256"
            )
        return key
