"""The local bucket of records: with versions, and kept on disk as far as they are current."""

from pathlib import Path
from typing import TYPE_CHECKING

from local.aws_client import connect_aws
from local.aws_services import AwsServices
from local.ports import find_free_ports

if TYPE_CHECKING:
    from types_boto3_s3 import S3Client

KEY = "predictions/model_version=v1/date=2026-03-01/part-0000.parquet"


def test_current_exports_outlive_the_server_with_their_checksum(tmp_path: Path) -> None:
    [port] = find_free_ports(1)
    services = AwsServices(tmp_path / "aws.log", port, bucket_directory=tmp_path / "s3")
    s3: S3Client = connect_aws("s3", services.endpoint_url)
    bucket = services.records_bucket
    with services:
        versions = [s3.put_object(Bucket=bucket, Key=KEY, Body=body)["VersionId"] for body in (b"1", b"2")]
        gone = s3.put_object(Bucket=bucket, Key="gone", Body=b"3")["VersionId"]
        s3.delete_object(Bucket=bucket, Key=KEY, VersionId=versions[0])
        s3.delete_object(Bucket=bucket, Key="gone", VersionId=gone)
    with services:
        [found] = s3.list_object_versions(Bucket=bucket)["Versions"]
        head = s3.head_object(Bucket=bucket, Key=KEY, ChecksumMode="ENABLED")
        assert (found["Key"], s3.get_object(Bucket=bucket, Key=KEY)["Body"].read()) == (KEY, b"2")
        # Of "2".
        assert head["ChecksumSHA256"] == "1HNeOiZeFu7gP1lxi5tdAwGcB9i2xR+Q2jpmbuwTqzU="
        s3.delete_object(Bucket=bucket, Key=KEY)
    with services:
        assert "Versions" not in s3.list_object_versions(Bucket=bucket)
