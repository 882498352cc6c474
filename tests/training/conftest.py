"""The data, ensembles trained for a moment, and copies of the trained bundle."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.bundles import copy_bundle
from training.data import Rows, load_rows
from training.fit import Curves, Ensemble, Schedule, fit_ensemble
from training.run import TrainingRun
from training.validate import validate_training

QUICK_EPOCHS = 2

QuickFit = Callable[[int], tuple[Ensemble, Curves]]
MakeVersion = Callable[[str, str], Path]


def ignore(step: int) -> None:
    """Nobody watches a test's progress."""


@pytest.fixture(scope="session")
def rows() -> Rows:
    return load_rows()


@pytest.fixture(scope="session")
def quick_fit(rows: Rows) -> QuickFit:
    """Train on all rows for a moment with a seed."""
    return lambda seed: fit_ensemble(rows, seed, epochs=QUICK_EPOCHS, schedule=Schedule.COSINE, report_epoch=ignore)


@pytest.fixture(scope="session")
def quick_ensemble(quick_fit: QuickFit) -> Ensemble:
    """Trained for a moment with seed 1. Not to be changed."""
    return quick_fit(1)[0]


@pytest.fixture(scope="session")
def quick_run(rows: Rows, quick_fit: QuickFit) -> TrainingRun:
    """A whole run of a moment. Not to be changed."""
    ensemble, curves = quick_fit(1)
    validation = validate_training(rows, 1, epochs=QUICK_EPOCHS, schedule=Schedule.COSINE, report_epoch=ignore)
    return TrainingRun(
        rows=rows,
        seed=1,
        epochs=QUICK_EPOCHS,
        schedule=Schedule.COSINE,
        ensemble=ensemble,
        curves=curves,
        validation=validation,
        seconds=1.5,
    )


@pytest.fixture
def make_version(bundle: Path, tmp_path: Path) -> MakeVersion:
    """Copy the trained bundle under another version and time."""

    return lambda version, created_at: copy_bundle(bundle, tmp_path, version=version, created_at=created_at)
