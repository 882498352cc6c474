"""`make run` in a shell whose variables lead elsewhere: the stack talks only to itself."""

import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from socketserver import BaseRequestHandler, ThreadingTCPServer

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
# Each of these alone changes how Python, boto3, PostgreSQL, Keras or uvicorn behaves.
SETTINGS = {
    "AWS_PROFILE": "nosuch",
    "AWS_ACCESS_KEY_ID": KEY_ID,
    "AWS_SECRET_ACCESS_KEY": SECRET,
    "AWS_CA_BUNDLE": "/nonexistent/aws.pem",
    "NO_PROXY": "hostile.invalid",
    "PGHOST": "pg.hostile.invalid",
    "PGOPTIONS": "-c datestyle=SQL,DMY",
    "PYTHONHOME": "/nonexistent/home",
    "PYTHONOPTIMIZE": "2",
    "SSL_CERT_FILE": "/nonexistent/cert.pem",
    "LC_ALL": "tr_TR.UTF-8",
    "TZ": "Asia/Katmandu",
    "LOG_LEVEL": "LOUD",
    "MODEL_RUNTIME": "jax-runtime",
    "KERAS_BACKEND": "jax",
    "UVICORN_PORT": "2",
    "VIRTUAL_ENV": "/nonexistent/venv",
}


@dataclass
class Recorder:
    """A server that keeps the first bytes of each connection."""

    url: str
    heard: list[bytes]


@pytest.fixture
def recorder() -> Iterator[Recorder]:
    heard: list[bytes] = []

    class Handler(BaseRequestHandler):
        def handle(self) -> None:
            heard.append(self.request.recv(1000))

    with ThreadingTCPServer((LOOPBACK, 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield Recorder(f"http://{LOOPBACK}:{server.server_address[1]}", heard)
        server.shutdown()
        thread.join()


def make_hostile_shell(directory: Path, url: str) -> dict[str, str]:
    """Return the variables of the shell, with a home whose files lead elsewhere too."""
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


def read_environments(process: int) -> list[bytes]:
    """Return the environments of all processes below this one."""
    family = [process]
    # The list grows while the loop goes over it.
    for pid in family:
        for children in Path(f"/proc/{pid}/task").glob("*/children"):
            family += map(int, children.read_text().split())
    return [Path(f"/proc/{pid}/environ").read_bytes() for pid in family[1:]]


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
