"""S3 and SQS: moto's server as a child process, with two buckets, whose objects may be kept on disk, and two queues."""

import http.client
import json
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Self

from lambda_app.project import PREFIX
from local.errors import StackError
from local.ports import LOOPBACK, require_port
from local.process import read_last_fault, start_process, stop_process

BUCKET = f"{PREFIX}-models"
RECORDS_BUCKET = f"{PREFIX}-records"
QUEUE = f"{PREFIX}-records"
DEAD_LETTER_QUEUE = f"{QUEUE}-dead"
# What a poller got and did not delete is hidden for so long; whoever gets it so often in vain is not helped by more.
VISIBILITY_SECONDS = 30
MAX_RECEIVES = 1000
REGION = "eu-west-1"
# moto takes any credentials, so these are none of anybody's.
IDENTITY = {"AWS_ACCESS_KEY_ID": "local", "AWS_SECRET_ACCESS_KEY": "local", "AWS_DEFAULT_REGION": REGION}
# The account that moto has everyone in.
ACCOUNT = "123456789012"
START_SECONDS = 30
# It has nothing to save, and takes a second to end by itself.
STOP_STEPS = ((signal.SIGKILL, 5.0),)
REPOSITORY = Path(__file__).resolve().parents[1]


class AwsServices:
    """A server on `port` that answers as S3 and SQS do, to any credentials.

    It forgets everything when it stops, but for the buckets' objects where a directory for those of the models is
    named: the records are beside it.
    """

    def __init__(self, log_path: Path, port: int, host: str = LOOPBACK, bucket_directory: Path | None = None) -> None:
        self.host = host
        self.bucket_directory = bucket_directory
        self.log_path = log_path.absolute()
        self.port = port
        self.bucket = BUCKET
        self.records_bucket = RECORDS_BUCKET
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def endpoint_url(self) -> str:
        return f"http://{self.host}:{self.port}"

    @property
    def queue_url(self) -> str:
        return f"{self.endpoint_url}/{ACCOUNT}/{QUEUE}"

    @property
    def dead_letter_queue_url(self) -> str:
        return f"{self.endpoint_url}/{ACCOUNT}/{DEAD_LETTER_QUEUE}"

    @property
    def pid(self) -> int | None:
        return self._process.pid if self._process else None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self) -> None:
        """Return when bucket and queues are there."""
        try:
            self.log_path.parent.mkdir(parents=True, exist_ok=True)
            command = [sys.executable, "-m", "local.moto_server", self.host, str(self.port)]
            if self.bucket_directory:
                directory = self.bucket_directory.absolute()
                command += [self.bucket, str(directory), self.records_bucket, str(directory.with_name("records"))]
            self._process = start_process(command, self.log_path, directory=REPOSITORY)
            self._wait_until_seeded()
        except BaseException as error:
            self.stop()
            if isinstance(error, OSError):
                raise StackError(f"S3 and SQS can't start: {error}") from error
            raise

    def wait(self) -> None:
        """Return when the server has ended, which it does not by itself."""
        if self._process:
            self._process.wait()

    def stop(self) -> None:
        """End the server, with all that it holds in memory. `start` brings it back."""
        if self._process:
            stop_process(self._process, STOP_STEPS)
            self._process = None

    def _wait_until_seeded(self) -> None:
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            log = self.log_path.read_text(errors="replace")
            if self._process is None or self._process.poll() is not None:
                raise self._explain_log(self.log_path.read_text(errors="replace"))
            # Until our server says so, whoever answers on the port is another one.
            if "Running on" in log:
                self._seed()
                return
            time.sleep(0.05)
        raise StackError(f"S3 and SQS didn't answer within {START_SECONDS} s: their log is {self.log_path}")

    def _seed(self) -> None:
        for bucket in (self.bucket, self.records_bucket):
            self._request("PUT", f"/{bucket}", "buckets")
        versioning = "<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>"
        self._request("PUT", f"/{self.records_bucket}?versioning", "buckets", versioning)
        self._create_queue(DEAD_LETTER_QUEUE, {})
        redrive = {
            "deadLetterTargetArn": f"arn:aws:sqs:{REGION}:{ACCOUNT}:{DEAD_LETTER_QUEUE}",
            "maxReceiveCount": MAX_RECEIVES,
        }
        self._create_queue(QUEUE, {"VisibilityTimeout": str(VISIBILITY_SECONDS), "RedrivePolicy": json.dumps(redrive)})

    def _create_queue(self, name: str, attributes: Mapping[str, str]) -> None:
        headers = {
            "Content-Type": "application/x-amz-json-1.0",
            "X-Amz-Target": "AmazonSQS.CreateQueue",
            # For its region alone: a queue, unlike a bucket, is in one.
            "Authorization": f"AWS4-HMAC-SHA256 Credential=local/20260101/{REGION}/sqs/aws4_request",
        }
        self._request("POST", "/", "queues", json.dumps({"QueueName": name, "Attributes": attributes}), headers)

    def _request(
        self, method: str, path: str, things: str, body: str | None = None, headers: Mapping[str, str] | None = None
    ) -> None:
        # By hand: moto checks no signature.
        connection = http.client.HTTPConnection(self.host, self.port, timeout=5)
        try:
            connection.request(method, path, body, headers or {})
            status = connection.getresponse().status
        finally:
            connection.close()
        if status != http.HTTPStatus.OK:
            raise StackError(f"S3 and SQS refused to make their {things} (status {status}): see {self.log_path}")

    def _explain_log(self, log: str) -> StackError:
        require_port(self.port, "S3 and SQS", self.host)
        return StackError(f"S3 and SQS ended at once ({read_last_fault(log)}): their log is {self.log_path}")
