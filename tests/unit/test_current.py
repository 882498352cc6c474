"""The current model: loaded once, exchanged when the pointer changes, kept when the new one cannot be loaded."""

from typing import Any

import pytest

from lambda_app.errors import BundleError, ModelUnavailableError
from lambda_app.model.bundle import Manifest
from lambda_app.model.current import CurrentModel
from lambda_app.model.predictor import LoadedModel, Predictor


class Loader:
    """A bucket whose pointer names `version`, or that cannot be read; counts what happened."""

    def __init__(self) -> None:
        self.version: str | None = None
        self.known_etags: list[str | None] = []
        self.loaded: list[str] = []
        self.failed: list[str] = []
        self.now = 100.0
        self.takes_seconds = 0.0
        self.model = CurrentModel(
            self.load,
            refresh_seconds=60,
            on_loaded=self.loaded.append,
            on_failed=self.failed.append,
            clock=lambda: self.now,
        )

    def load(self, known_etag: str | None) -> LoadedModel | None:
        self.known_etags.append(known_etag)
        self.now += self.takes_seconds
        if self.version is None:
            raise BundleError("no bundle")
        if known_etag == f"etag of {self.version}":
            return None
        never_asked: Any = None
        predictor = Predictor(Manifest(self.version, {}, None, {}), runtime=never_asked, calibration=never_asked)
        return LoadedModel(predictor, f"etag of {self.version}")


def test_model_is_loaded_once_and_exchanged_when_the_pointer_changes() -> None:
    loader = Loader()
    loader.version = "v1"
    first = loader.model.get()
    loader.now += 59.9
    assert loader.model.get() is first
    assert loader.known_etags == [None]
    loader.now += 0.1
    assert loader.model.get() is first
    loader.version = "v2"
    loader.now += 60
    assert loader.model.get().version == "v2"
    assert loader.known_etags == [None, "etag of v1", "etag of v1"]
    assert (loader.loaded, loader.failed) == (["v1", "v2"], [])


def test_failed_refresh_keeps_the_model_and_waits_for_the_next_interval() -> None:
    loader = Loader()
    loader.version = "v1"
    first = loader.model.get()
    loader.version = None
    loader.now += 60
    assert loader.model.get() is first
    loader.now += 59.9
    assert loader.model.get() is first
    assert loader.failed == ["no bundle"]
    loader.version = "v2"
    loader.now += 0.1
    assert loader.model.get().version == "v2"


def test_without_a_model_each_second_is_tried_and_not_more_often() -> None:
    loader = Loader()
    for _ in range(3):
        with pytest.raises(ModelUnavailableError, match="no bundle"):
            loader.model.get()
    loader.now += 0.99
    with pytest.raises(ModelUnavailableError):
        loader.model.get()
    assert len(loader.known_etags) == 1
    loader.version = "v1"
    loader.now += 0.01
    assert loader.model.get().version == "v1"
    assert (loader.loaded, loader.failed) == (["v1"], ["no bundle"])


def test_the_second_counts_from_the_end_of_a_slow_failure() -> None:
    loader = Loader()
    loader.takes_seconds = 5.0
    for _ in range(2):
        with pytest.raises(ModelUnavailableError):
            loader.model.get()
    assert len(loader.known_etags) == 1
