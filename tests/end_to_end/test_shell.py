"""`make run` in a shell whose every variable leads elsewhere: the stack talks to itself alone."""

import socket
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Self

import pytest

from local.ports import LOOPBACK
from tests.bundles import copy_bundle
from tests.end_to_end.runs import Clone, Run, count_rows, find_registry_command, run_printed_curl
from tests.machine import find_port_row

KEY_ID, SECRET = "AKIAIOSFODNN7HOSTILE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYHOSTILEKEY"
PROXIES = ("http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY")
ENDPOINTS = (
    *("AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL_SQS", "AWS_ENDPOINT_URL_STS"),
    *("AWS_EC2_METADATA_SERVICE_ENDPOINT", "AWS_CONTAINER_CREDENTIALS_FULL_URI", "AWS_CONTAINER_AUTHORIZATION_TOKEN"),
    *("QUEUE_URL", "DEAD_LETTER_QUEUE_URL", "UV_DEFAULT_INDEX", "PIP_INDEX_URL"),
)
# Each changes by itself what somebody's Python, boto3, PostgreSQL, TensorFlow or uvicorn does.
SETTINGS = {
    "AWS_PROFILE": "nosuch",
    "AWS_ACCESS_KEY_ID": KEY_ID,
    "AWS_SECRET_ACCESS_KEY": SECRET,
    "AWS_SESSION_TOKEN": "hostile-session",
    "AWS_REGION": "ap-south-2",
    "AWS_DEFAULT_REGION": "ap-south-1",
    "AWS_ROLE_ARN": "arn:aws:iam::999999999999:role/hostile",
    "AWS_WEB_IDENTITY_TOKEN_FILE": "/nonexistent/token",
    "AWS_USE_FIPS_ENDPOINT": "true",
    "AWS_USE_DUALSTACK_ENDPOINT": "true",
    "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS": "false",
    "AWS_CA_BUNDLE": "/nonexistent/aws.pem",
    "AWS_DEFAULTS_MODE": "nonsense-mode",
    "AWS_RETRY_MODE": "nonsense-retry",
    "AWS_MAX_ATTEMPTS": "-3",
    "AWS_DATA_PATH": "/nonexistent/data",
    "AWS_LAMBDA_LOG_STREAM_NAME": "hostile-stream",
    "MOTO_ACCOUNT_ID": "999999999998",
    "NO_PROXY": "hostile.invalid",
    "no_proxy": "hostile2.invalid",
    "PGHOST": "pg.hostile.invalid",
    "PGPORT": "1",
    "PGUSER": "hostile-user",
    "PGPASSWORD": "hostile-password",
    "PGDATABASE": "hostile-database",
    "PGSERVICE": "hostile-service",
    "PGOPTIONS": "-c datestyle=SQL,DMY",
    "PGSSLMODE": "verify-full",
    "PGPASSFILE": "/nonexistent/pgpass",
    "PGDATA": "/nonexistent/pgdata",
    "PGTZ": "Asia/Kathmandu",
    "PGDATESTYLE": "German",
    "PGCLIENTENCODING": "LATIN1",
    "PYTHONHOME": "/nonexistent/home",
    "PYTHONSAFEPATH": "hostile-1",
    "PYTHONSTARTUP": "/nonexistent/startup.py",
    "PYTHONWARNINGS": "error::Warning",
    "PYTHONOPTIMIZE": "2",
    "PYTHONDONTWRITEBYTECODE": "hostile-2",
    "PYTHONHASHSEED": "4242",
    "PYTHONIOENCODING": "latin-1",
    "PYTHONUTF8": "0",
    "PYTHONINSPECT": "hostile-3",
    "SSL_CERT_FILE": "/nonexistent/cert.pem",
    "SSL_CERT_DIR": "/nonexistent/certs",
    "REQUESTS_CA_BUNDLE": "/nonexistent/requests.pem",
    "CURL_CA_BUNDLE": "/nonexistent/curl.pem",
    "LC_ALL": "tr_TR.UTF-8",
    "LANG": "xx_XX.nowhere",
    "LANGUAGE": "tr:de",
    "LC_MESSAGES": "de_DE.UTF-8",
    "TZ": "Asia/Katmandu",
    "POWERTOOLS_LOGGER_LOG_EVENT": "true",
    "POWERTOOLS_LOG_LEVEL": "nonsense-level",
    "POWERTOOLS_SERVICE_NAME": "hostile-powertools",
    "POWERTOOLS_METRICS_NAMESPACE": "hostile-namespace",
    "LOG_LEVEL": "LOUD",
    "SERVICE_NAME": "hostile-name",
    "MODEL_RUNTIME": "jax-runtime",
    "MODEL_BUCKET": "hostile-models",
    "MODEL_REFRESH_SECONDS": "never",
    "DATABASE_HOST": "db.hostile.invalid",
    "DATABASE_TLS": "maybe",
    "DATABASE_PASSWORD": "hostile-secret",
    "ROLE_SECRET_ARNS": "hostile-arn",
    "PAGES": "perhaps",
    "TF_CPP_MIN_LOG_LEVEL": "00",
    "TF_FORCE_GPU_ALLOW_GROWTH": "hostile-4",
    "KERAS_BACKEND": "jax",
    "CUDA_VISIBLE_DEVICES": "77",
    "OMP_NUM_THREADS": "-1",
    "UVICORN_PORT": "2",
    "UVICORN_HOST": "uvicorn.hostile.invalid",
    "FORWARDED_ALLOW_IPS": "203.0.113.9",
    "WEB_CONCURRENCY": "33",
    "MPLBACKEND": "hostile-backend",
    "VIRTUAL_ENV": "/nonexistent/venv",
    "CONDA_PREFIX": "/nonexistent/conda",
}


class Recorder:
    """A server that keeps the first bytes of whoever connects, and hangs up."""

    def __init__(self) -> None:
        self.heard: list[bytes] = []
        self._listener = socket.create_server((LOOPBACK, 0))
        self._thread = threading.Thread(target=self._listen, name="recorder")

    @property
    def url(self) -> str:
        return f"http://{LOOPBACK}:{self._listener.getsockname()[1]}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join()

    def _listen(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            with connection:
                connection.settimeout(5)
                self.heard.append(connection.recv(1000))


@pytest.fixture
def recorder() -> Iterator[Recorder]:
    with Recorder() as recorder:
        yield recorder


def make_hostile_shell(directory: Path, url: str) -> dict[str, str]:
    """Its variables, and a home with files that say the same."""
    home, modules = directory / "home", directory / "modules"
    for path in (home / ".aws", modules):
        path.mkdir(parents=True)
    config = f"endpoint_url = {url}/config\nuse_fips_endpoint = true\nregion = ap-east-1\n"
    (home / ".aws" / "config").write_text(f"[default]\n{config}")
    (home / ".aws" / "credentials").write_text(
        f"[default]\naws_access_key_id = {KEY_ID}\naws_secret_access_key = {SECRET}\n"
    )
    for name in ("boto3", "signal", "uvicorn", "sitecustomize"):
        (modules / f"{name}.py").write_text(f"raise SystemExit('{name} of somebody else')\n")
    addresses = {name: f"{url}/{name}" for name in (*PROXIES, *ENDPOINTS)}
    return {**SETTINGS, **addresses, "PYTHONPATH": str(modules), "HOME": str(home)}


def read_environments(session: int) -> list[bytes]:
    """Those of all processes below this one."""
    parents = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            parents[int(path.parent.name)] = int(path.read_text().rpartition(")")[2].split()[1])
        except OSError:
            continue
    family = {session}
    while more := {pid for pid, parent in parents.items() if parent in family} - family:
        family |= more
    return [Path(f"/proc/{pid}/environ").read_bytes() for pid in family - {session}]


def test_the_stack_talks_to_itself_alone(tmp_path: Path, bundle: Path, recorder: Recorder) -> None:
    (tmp_path / "clone").mkdir()
    clone = Clone(tmp_path / "clone")
    copy_bundle(bundle, clone.models, "20260101T000000Z-00000001")
    shell = make_hostile_shell(tmp_path, recorder.url)
    port = find_port_row()
    run = Run(clone, ["make", "run", f"PORT={port}"], shell)
    try:
        output = run.wait_until_ready()
        answer = run_printed_curl(output)
        assert answer["prediction"] > 0
        assert count_rows(output) == 1
        assert "20260101T000000Z-00000001" in clone.do(find_registry_command(output), shell)
        if sys.platform == "linux":
            environments = read_environments(run.process.pid)
            assert len(environments) >= 3, "the API, the database, S3 with SQS"
            theirs = {f"{name}={value}".encode() for name, value in shell.items() if name != "HOME"}
            assert [theirs.intersection(each.split(b"\0")) for each in environments] == [set()] * len(environments)
    finally:
        run.interrupt()
    assert "Traceback" not in run.read()
    assert "Stopped." in run.read()
    assert recorder.heard == []
