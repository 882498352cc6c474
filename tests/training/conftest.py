"""The data, and a training of two epochs with its validation."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from local.aws_services import AwsServices
from tests.training.command_line import Run
from training.__main__ import app
from training.data import Rows, load_rows
from training.fit import Curves, Ensemble, Schedule, fit_ensemble
from training.run import TrainingRun
from training.validate import Validation, validate_training

QUICK_EPOCHS = 2


def ignore(step: int) -> None:
    """Report no progress."""


@pytest.fixture(scope="session")
def rows() -> Rows:
    return load_rows()


@pytest.fixture(scope="session")
def quick(rows: Rows) -> tuple[Ensemble, Curves]:
    """Train on all rows for two epochs with seed 1. Tests must not change the result."""
    return fit_ensemble(rows, 1, epochs=QUICK_EPOCHS, schedule=Schedule.COSINE, report_epoch=ignore)


@pytest.fixture(scope="session")
def validation(rows: Rows) -> Validation:
    """Validate a training of 15 epochs."""
    return validate_training(rows, 1, epochs=15, schedule=Schedule.COSINE, report_epoch=ignore)


@pytest.fixture
def quick_run(rows: Rows, quick: tuple[Ensemble, Curves], validation: Validation) -> TrainingRun:
    """Return a whole run."""
    return TrainingRun(rows, 1, QUICK_EPOCHS, Schedule.COSINE, *quick, validation, seconds=1.5)


@pytest.fixture
def run(aws: AwsServices, bucket: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Run:
    """Run a command in an empty directory, as a user with the keys of a bucket."""
    monkeypatch.chdir(tmp_path)
    for name, value in {
        "MODEL_BUCKET": bucket,
        "AWS_ENDPOINT_URL": aws.endpoint_url,
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_DEFAULT_REGION": "us-east-1",
    }.items():
        monkeypatch.setenv(name, value)
    return lambda *arguments: CliRunner().invoke(app, arguments)
