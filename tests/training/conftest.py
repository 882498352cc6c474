"""The data, and a training of two epochs with its validation."""

import pytest

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
