"""The circuit breaker's three states."""

import pytest

from lambda_app.log.breaker import CircuitBreaker, CircuitOpenError


def test_it_opens_for_its_time_and_again_after_a_failed_probe(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [1000.0]
    monkeypatch.setattr("lambda_app.log.breaker.time.monotonic", lambda: now[0])
    breaker = CircuitBreaker(open_seconds=10)
    breaker.require_not_open()
    assert breaker.state == "closed"
    for reason in ("TimeoutError", "OSError"):
        breaker.record_failure(reason)
        now[0] += 9.9
        assert breaker.state == "open"
        with pytest.raises(CircuitOpenError, match=f"^circuit open after {reason}$"):
            breaker.require_not_open()
        now[0] += 0.2
        assert breaker.state == "half-open"
        breaker.require_not_open()
    breaker.record_success()
    assert breaker.state == "closed"
