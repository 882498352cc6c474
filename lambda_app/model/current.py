"""The current model: loaded once per execution environment, replaced when the pointer changes."""

import time
from collections.abc import Callable

from lambda_app.errors import BundleError, ModelUnavailableError
from lambda_app.model.predictor import LoadedModel, Predictor

RETRY_INTERVAL_SECONDS = 1.0


class CurrentModel:
    """Keeps the loaded model, and checks for a new one at most once per refresh interval.

    `load` gets the known ETag of the pointer and returns None if it has not changed. It runs within a request, because
    Lambda freezes between requests. If it fails, the loaded model stays. If none is loaded, requests try again, at most
    once a second.
    """

    def __init__(
        self,
        load: Callable[[str | None], LoadedModel | None],
        *,
        refresh_seconds: float,
        on_loaded: Callable[[str], None],
        on_failed: Callable[[str], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._load = load
        self._refresh_seconds = refresh_seconds
        self._on_loaded = on_loaded
        self._on_failed = on_failed
        self._clock = clock
        self._loaded: LoadedModel | None = None
        self._failure = ""
        self._due_at = float("-inf")

    def get(self) -> Predictor:
        """Return the model, after a check if one is due; raises ModelUnavailableError with the reason."""
        if self._clock() >= self._due_at:
            self._refresh()
        if self._loaded is None:
            raise ModelUnavailableError(self._failure)
        return self._loaded.predictor

    def _refresh(self) -> None:
        try:
            found = self._load(self._loaded.pointer_etag if self._loaded else None)
        except BundleError as error:
            self._failure = str(error)
            self._on_failed(self._failure)
        else:
            if found is not None:
                self._loaded = found
                self._on_loaded(found.predictor.version)
        interval = self._refresh_seconds if self._loaded else RETRY_INTERVAL_SECONDS
        # Counted from the end of the attempt: otherwise every request would wait for a slow failure.
        self._due_at = self._clock() + interval
