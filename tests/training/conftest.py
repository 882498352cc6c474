"""The data as `bundle` was trained on it, models trained for a moment, and S3 as moto's server plays it."""

import json
import shutil
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import boto3
import pytest
from moto.server import ThreadedMotoServer

from training.data import Rows, Split, load_rows, split_rows
from training.fit import Model, fit_model

if TYPE_CHECKING:
    from types_boto3_s3 import S3Client

QUICK_EPOCHS = 3


@pytest.fixture(scope="session")
def rows() -> Rows:
    return load_rows()


@pytest.fixture(scope="session")
def split(rows: Rows) -> Split:
    """By the seed of the fixture `bundle`."""
    return split_rows(rows, seed=1)


@pytest.fixture(scope="session")
def quick_model(quick_fit: Callable[[int], Model]) -> Model:
    """Trained for a moment with seed 1. Not to be changed."""
    return quick_fit(1)


@pytest.fixture(scope="session")
def quick_fit(split: Split) -> Callable[[int], Model]:
    """Train for a moment with a seed."""
    return lambda seed: fit_model(split, seed, QUICK_EPOCHS, lambda epoch, mae: None)


@pytest.fixture
def make_version(bundle: Path, tmp_path: Path) -> Callable[[str, str], Path]:
    """Copy the trained bundle under another version and time."""

    def copy(version: str, created_at: str) -> Path:
        directory = tmp_path / version
        shutil.copytree(bundle, directory)
        manifest = json.loads((directory / "manifest.json").read_bytes())
        manifest |= {"version": version, "created_at": created_at}
        (directory / "manifest.json").write_text(json.dumps(manifest))
        return directory

    return copy


@pytest.fixture(scope="session")
def s3_url() -> Iterator[str]:
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    _, port = server.get_host_and_port()
    yield f"http://127.0.0.1:{port}"
    server.stop()


@pytest.fixture
def connect(s3_url: str) -> "Callable[[], S3Client]":
    """Another person's client of the same S3."""
    return lambda: boto3.client(
        "s3",
        endpoint_url=s3_url,
        region_name="us-east-1",
        aws_access_key_id="test",
        aws_secret_access_key="test",
    )


@pytest.fixture
def client(connect: "Callable[[], S3Client]") -> "S3Client":
    return connect()


@pytest.fixture
def bucket(client: "S3Client") -> str:
    name = f"models-{uuid.uuid4()}"
    client.create_bucket(Bucket=name)
    return name
