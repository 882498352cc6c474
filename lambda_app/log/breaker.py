"""The circuit breaker: after a failure, requests skip the database for some seconds. Then one request tries it."""

import time

OPEN_SECONDS = 10.0

CLOSED, OPEN, HALF_OPEN = "closed", "open", "half-open"


class CircuitOpenError(ConnectionError):
    """The database failed recently and was skipped; the text names that failure."""


class CircuitBreaker:
    """Open for `open_seconds` after a failure, then half-open until the next outcome. Not safe for two threads."""

    def __init__(self, open_seconds: float = OPEN_SECONDS) -> None:
        self._open_seconds = open_seconds
        self._opened_at: float | None = None
        self._reason = ""

    @property
    def state(self) -> str:
        """The state: "closed", "open", or "half-open" (the next request is a probe)."""
        if self._opened_at is None:
            return CLOSED
        return OPEN if time.monotonic() - self._opened_at < self._open_seconds else HALF_OPEN

    def require_not_open(self) -> None:
        """Raise CircuitOpenError while the breaker is open."""
        if self.state == OPEN:
            raise CircuitOpenError(f"circuit open after {self._reason}")

    def record_success(self) -> None:
        self._opened_at = None

    def record_failure(self, reason: str) -> None:
        self._opened_at = time.monotonic()
        self._reason = reason
