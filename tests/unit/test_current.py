"""The current model: loaded once, exchanged when the pointer changes, kept when the new one cannot be loaded."""

from collections.abc import Container
from typing import Any

import pytest

from lambda_app.errors import BundleError, ModelUnavailableError
from lambda_app.model.bundle import Bundle, Candidate, Fetched, Manifest, Pointer, Reference
from lambda_app.model.current import CurrentModel
from lambda_app.model.predictor import Predictor

CANDIDATE = Candidate("v2", "digest of v2", "canary", 0.5, "0123456789abcdef")


class Loader:
    """A bucket whose pointer names `version`, or that cannot be read; counts what happened.

    The pointer names `candidate` too, and `fault` is what is wrong with it.
    """

    def __init__(self) -> None:
        self.version: str | None = None
        self.candidate: Candidate | None = None
        self.fault: str | None = None
        self.unloadable: set[str] = set()
        self.fetched: list[str] = []
        self.candidate_failures: list[tuple[str | None, str]] = []
        self.known_etags: list[str | None] = []
        self.loaded: list[str] = []
        self.failed: list[str] = []
        self.now = 100.0
        self.takes_seconds = 0.0
        self.model = CurrentModel(
            self.fetch,
            self.load,
            refresh_seconds=60,
            candidate_max_ms=250,
            on_loaded=self.loaded.append,
            on_failed=self.failed.append,
            on_candidate_failed=lambda version, reason: self.candidate_failures.append((version, reason)),
            clock=lambda: self.now,
        )

    def fetch(self, known_etag: str | None, kept: Container[Reference]) -> Fetched | None:
        self.known_etags.append(known_etag)
        self.now += self.takes_seconds
        if self.version is None:
            raise BundleError("no bundle")
        etag = f"etag of {self.version}{f' and {self.candidate}' if self.candidate else ''}"
        if known_etag == etag:
            return None
        pointer = Pointer(self.version, f"digest of {self.version}", self.candidate, self.fault)
        named = {pointer.reference, *([self.candidate.reference] if self.candidate and not self.fault else [])}
        wanted = sorted(reference for reference in named if reference not in kept)
        self.fetched += [version for version, _ in wanted]
        bundles = {reference: Bundle(Manifest(reference[0], {}, None, {}), {}) for reference in wanted}
        return Fetched(pointer, etag, bundles, self.fault)

    def load(self, bundle: Bundle) -> Predictor:
        if bundle.manifest.version in self.unloadable:
            raise MemoryError
        never_asked: Any = None
        return Predictor(bundle.manifest, runtime=never_asked, calibration=never_asked)


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


def test_candidate_and_current_model_change_places_without_being_fetched_again() -> None:
    loader = Loader()
    loader.version = "v1"
    first = loader.model.get()
    assert loader.model.trial is None
    loader.candidate = CANDIDATE
    loader.now += 60
    assert loader.model.get() is first
    assert loader.model.trial is not None
    assert (loader.model.trial.candidate, loader.model.trial.fault) == (CANDIDATE, None)
    loader.version, loader.candidate = "v2", None
    loader.now += 60
    assert loader.model.get().version == "v2"
    assert loader.model.trial is None
    loader.version = "v1"
    loader.now += 60
    assert loader.model.get().version == "v1"
    # v1 was not kept while nothing named it.
    assert loader.fetched == ["v1", "v2", "v1"]
    assert (loader.loaded, loader.failed, loader.candidate_failures) == (["v1", "v2", "v1"], [], [])


def test_candidate_that_cannot_be_loaded_is_reported_and_tried_again_at_each_refresh() -> None:
    loader = Loader()
    loader.version, loader.candidate, loader.unloadable = "v1", CANDIDATE, {"v2"}
    first = loader.model.get()
    for _ in range(2):
        loader.now += 60
        assert loader.model.get() is first
        assert loader.model.trial is not None
        assert loader.model.trial.fault == "MemoryError"
    assert loader.candidate_failures == [("v2", "MemoryError")] * 3
    # The current model is not loaded again for it.
    assert (loader.fetched, loader.loaded, loader.failed) == (["v1", "v2", "v2", "v2"], ["v1"], [])
    loader.unloadable.clear()
    for _ in range(2):
        loader.now += 60
        loader.model.get()
    assert loader.model.trial is not None
    assert loader.model.trial.fault is None
    assert len(loader.candidate_failures) == 3
    assert loader.known_etags[:4] == [None] * 4
    assert loader.known_etags[4] is not None


def test_pointer_with_a_broken_candidate_is_followed_without_it() -> None:
    loader = Loader()
    loader.version, loader.fault = "v1", "no candidate"
    assert loader.model.get().version == "v1"
    assert loader.model.trial is None
    assert (loader.candidate_failures, loader.failed) == ([(None, "no candidate")], [])


def test_trial_stays_while_the_next_pointer_cannot_be_read() -> None:
    loader = Loader()
    loader.version, loader.candidate = "v1", CANDIDATE
    loader.model.get()
    trial = loader.model.trial
    loader.version = None
    loader.now += 60
    assert loader.model.get().version == "v1"
    assert loader.model.trial is trial
    assert loader.failed == ["no bundle"]
