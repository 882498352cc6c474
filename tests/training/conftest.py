"""The data, a training of two epochs with its validation, and copies of the trained bundle."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.bundles import copy_bundle
from training.data import Rows, load_rows
from training.fit import Curves, Ensemble, Schedule, fit_ensemble
from training.run import TrainingRun
from training.validate import Validation, validate_training

QUICK_EPOCHS = 2

MakeVersion = Callable[[str, str], Path]


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
def make_version(bundle: Path, tmp_path: Path) -> MakeVersion:
    """Copy the trained bundle under another version and time."""
    return lambda version, created_at: copy_bundle(bundle, tmp_path, version=version, created_at=created_at)
