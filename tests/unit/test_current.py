"""The current model: loaded once, tried again at most once a second."""

import pytest

from lambda_app.errors import BundleError, ModelUnavailableError
from lambda_app.model.bundle import Manifest
from lambda_app.model.current import CurrentModel
from lambda_app.model.predictor import Predictor


class Loader:
    """Fails until it is told to work; counts what happened."""

    def __init__(self) -> None:
        self.works = False
        self.attempts = 0
        self.loaded: list[str] = []
        self.failed: list[str] = []
        self.now = 100.0
        self.takes_seconds = 0.0
        self.model = CurrentModel(self.load, self.loaded.append, self.failed.append, clock=lambda: self.now)

    def load(self) -> Predictor:
        self.attempts += 1
        self.now += self.takes_seconds
        if not self.works:
            raise BundleError("no bundle")
        return Predictor(Manifest("v1", {}, {}), runtime=None)  # type: ignore[arg-type] # never asked to predict


def test_a_model_is_loaded_once() -> None:
    loader = Loader()
    loader.works = True
    assert loader.model.get() is loader.model.get()
    assert (loader.attempts, loader.loaded, loader.failed) == (1, ["v1"], [])


def test_a_failure_is_tried_again_after_a_second_and_not_before() -> None:
    loader = Loader()
    for _ in range(3):
        with pytest.raises(ModelUnavailableError, match="no bundle"):
            loader.model.get()
    loader.now += 0.99
    with pytest.raises(ModelUnavailableError):
        loader.model.get()
    assert loader.attempts == 1
    loader.works = True
    loader.now += 0.01
    assert loader.model.get().version == "v1"
    assert (loader.attempts, loader.loaded, loader.failed) == (2, ["v1"], ["no bundle"])


def test_the_second_counts_from_the_end_of_a_slow_failure() -> None:
    loader = Loader()
    loader.takes_seconds = 5.0
    with pytest.raises(ModelUnavailableError):
        loader.model.get()
    with pytest.raises(ModelUnavailableError):
        loader.model.get()
    assert loader.attempts == 1
