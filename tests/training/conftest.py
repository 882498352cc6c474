"""The data as `bundle` was trained on it, models trained for a moment, and copies of the trained one."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.bundles import copy_bundle
from training.data import Rows, Split, load_rows, split_rows
from training.fit import Model, fit_model

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

    return lambda version, created_at: copy_bundle(bundle, tmp_path, version=version, created_at=created_at)
