"""The current model: loaded once per execution environment, replaced when the pointer changes. And its candidate."""

import time
from collections.abc import Callable, Container
from typing import TYPE_CHECKING

from lambda_app.errors import BundleError, ModelUnavailableError
from lambda_app.model.bundle import Bundle, Candidate, Fetched, Reference, describe_fault
from lambda_app.model.predictor import Predictor

if TYPE_CHECKING:
    from lambda_app.model.trial import Trial

RETRY_INTERVAL_SECONDS = 1.0


class CurrentModel:
    """Keeps the loaded model, and checks for a new one at most once per refresh interval.

    `fetch` gets the known ETag of the pointer and the versions that are loaded, and returns None if the pointer has not
    changed; `load` loads one bundle. They run within a request, because Lambda freezes between requests. If they fail,
    the loaded model stays. If none is loaded, requests try again, at most once a second.

    `trial` is the candidate that the pointer names, None without one. One that cannot be loaded is reported, and tried
    again at every refresh.
    """

    def __init__(
        self,
        fetch: Callable[[str | None, Container[Reference]], Fetched | None],
        load: Callable[[Bundle], Predictor],
        *,
        refresh_seconds: float,
        candidate_max_ms: float,
        on_loaded: Callable[[str], None],
        on_failed: Callable[[str], None],
        on_candidate_failed: Callable[[str | None, str], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.trial: Trial | None = None
        self._fetch = fetch
        self._load = load
        self._refresh_seconds = refresh_seconds
        self._candidate_max_ms = candidate_max_ms
        self._on_loaded = on_loaded
        self._on_failed = on_failed
        self._on_candidate_failed = on_candidate_failed
        self._clock = clock
        self._predictor: Predictor | None = None
        # The current model and the candidate, which may change places.
        self._kept: dict[Reference, Predictor] = {}
        self._etag: str | None = None
        self._failure = ""
        self._due_at = float("-inf")

    def get(self) -> Predictor:
        """Return the model, after a check if one is due; raises ModelUnavailableError with the reason."""
        if self._clock() >= self._due_at:
            self._refresh()
        if self._predictor is None:
            raise ModelUnavailableError(self._failure)
        return self._predictor

    def _refresh(self) -> None:
        try:
            fetched = self._fetch(self._etag, self._kept)
            if fetched is not None:
                self._follow(fetched)
        except BundleError as error:
            self._failure = str(error)
            self._on_failed(self._failure)
        interval = self._refresh_seconds if self._predictor else RETRY_INTERVAL_SECONDS
        # Counted from the end of the attempt: otherwise every request would wait for a slow failure.
        self._due_at = self._clock() + interval

    def _follow(self, fetched: Fetched) -> None:
        """Serve what the pointer names. Raises BundleError, and changes nothing then; never for the candidate."""
        pointer = fetched.pointer
        predictor = self._find(pointer.reference, fetched)
        kept = {pointer.reference: predictor}
        trial, fault = None, fetched.candidate_fault
        if pointer.candidate is not None:
            reference = pointer.candidate.reference
            if fault is None:
                try:
                    kept[reference] = kept.get(reference) or self._find(reference, fetched)
                # No failure of the candidate may be one of the service.
                except Exception as error:
                    fault = describe_fault(error)
            trial = self._start_trial(pointer.candidate, kept.get(reference), fault)
        if fault is not None:
            self._on_candidate_failed(pointer.candidate.version if pointer.candidate else None, fault)
        if predictor is not self._predictor:
            self._on_loaded(predictor.version)
        self._predictor, self.trial, self._kept = predictor, trial, kept
        # Without it, the next refresh tries the candidate again.
        self._etag = None if fault is not None else fetched.etag

    def _find(self, reference: Reference, fetched: Fetched) -> Predictor:
        return self._kept.get(reference) or self._load(fetched.bundles[reference])

    def _start_trial(self, candidate: Candidate, predictor: Predictor | None, fault: str | None) -> "Trial":
        # Imported here: most starts have no candidate.
        from lambda_app.model.trial import Trial  # noqa: PLC0415

        max_ms, on_failed = self._candidate_max_ms, self._on_candidate_failed
        return Trial(candidate, predictor, fault, max_ms=max_ms, on_failed=on_failed)
