"""The object store: moto's server as a child process, with one bucket. It forgets everything when it stops."""

import http.client
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Self

from local.errors import StackError
from local.ports import LOOPBACK
from local.process import read_last_fault, start_process, stop_process

BUCKET = "diabetes-models"
START_SECONDS = 30
# It has nothing to save, and takes a second to end by itself.
STOP_STEPS = ((signal.SIGKILL, 5.0),)
REPOSITORY = Path(__file__).resolve().parents[1]


class ObjectStore:
    """A server on `port` that answers as S3 does, to any credentials."""

    def __init__(self, log_path: Path, port: int, host: str = LOOPBACK) -> None:
        self.host = host
        self.log_path = log_path.absolute()
        self.port = port
        self.bucket = BUCKET
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def endpoint_url(self) -> str:
        return f"http://{self.host}:{self.port}"

    @property
    def pid(self) -> int | None:
        return self._process.pid if self._process else None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self) -> None:
        """Return when the bucket is there."""
        try:
            self.log_path.parent.mkdir(parents=True, exist_ok=True)
            command = [sys.executable, "-m", "local.moto_server", self.host, str(self.port)]
            self._process = start_process(command, self.log_path, directory=REPOSITORY, environment=os.environ)
            self._wait_for_bucket()
        except BaseException as error:
            self.stop()
            if isinstance(error, OSError):
                raise StackError(f"The object store can't start: {error}") from error
            raise

    def stop(self) -> None:
        """End the server, with all that it holds. `start` brings it back, empty."""
        if self._process:
            stop_process(self._process, STOP_STEPS)
            self._process = None

    def _wait_for_bucket(self) -> None:
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            log = self.log_path.read_text(errors="replace")
            if self._process is None or self._process.poll() is not None:
                raise self._explain_log(self.log_path.read_text(errors="replace"))
            # Until our server says so, whoever answers on the port is another one.
            if "Running on" in log:
                self._create_bucket()
                return
            time.sleep(0.05)
        raise StackError(f"The object store didn't answer within {START_SECONDS} s: its log is {self.log_path}")

    def _create_bucket(self) -> None:
        # By hand: moto checks no signature, and a client that reads the environment might go through a proxy.
        connection = http.client.HTTPConnection(self.host, self.port, timeout=5)
        try:
            connection.request("PUT", f"/{self.bucket}")
            status = connection.getresponse().status
        finally:
            connection.close()
        if status != http.HTTPStatus.OK:
            raise StackError(f"The object store refused to make its bucket (status {status}): see {self.log_path}")

    def _explain_log(self, log: str) -> StackError:
        if "Address already in use" in log or f"Port {self.port} is in use" in log:
            return StackError(f"Port {self.port}, for the object store, is taken: choose another")
        return StackError(f"The object store ended at once ({read_last_fault(log)}): its log is {self.log_path}")
