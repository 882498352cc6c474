"""The model that answers now: loaded once per execution environment, tried again when it could not be."""

import time
from collections.abc import Callable

from lambda_app.errors import BundleError, ModelUnavailableError
from lambda_app.model.predictor import Predictor

RETRY_INTERVAL_SECONDS = 1.0


class CurrentModel:
    """Keeps the loaded model. While there is none, each use tries again, at most once a second."""

    def __init__(
        self,
        load: Callable[[], Predictor],
        on_loaded: Callable[[str], None],
        on_failed: Callable[[str], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._load = load
        self._on_loaded = on_loaded
        self._on_failed = on_failed
        self._clock = clock
        self._predictor: Predictor | None = None
        self._failure = ""
        self._retry_at = float("-inf")

    def get(self) -> Predictor:
        """The model, loading it if there is none yet; ModelUnavailableError says why there is none."""
        if self._predictor is None:
            self._try_load()
        if self._predictor is None:
            raise ModelUnavailableError(self._failure)
        return self._predictor

    def _try_load(self) -> None:
        if self._clock() < self._retry_at:
            return
        try:
            self._predictor = self._load()
        except BundleError as error:
            self._failure = str(error)
            self._on_failed(self._failure)
            # From the end of the attempt: a slow failure must not leave every request waiting for the next.
            self._retry_at = self._clock() + RETRY_INTERVAL_SECONDS
        else:
            self._on_loaded(self._predictor.version)
