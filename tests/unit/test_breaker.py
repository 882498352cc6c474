"""The circuit breaker's three states."""

import pytest

from lambda_app.log.breaker import CircuitBreaker, CircuitOpenError


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    now = [1000.0]
    monkeypatch.setattr("lambda_app.log.breaker.time.monotonic", lambda: now[0])
    return now


def test_it_opens_for_its_time_and_a_success_closes_it(clock: list[float]) -> None:
    breaker = CircuitBreaker(open_seconds=10)
    breaker.require_not_open()
    assert breaker.state == "closed"
    breaker.record_failure("TimeoutError")
    clock[0] += 9.9
    assert breaker.state == "open"
    with pytest.raises(CircuitOpenError, match=r"^circuit open after TimeoutError$"):
        breaker.require_not_open()
    clock[0] += 0.2
    assert breaker.state == "half-open"
    breaker.require_not_open()
    breaker.record_success()
    assert breaker.state == "closed"


def test_a_failed_probe_opens_it_anew(clock: list[float]) -> None:
    breaker = CircuitBreaker(open_seconds=10)
    breaker.record_failure("first")
    clock[0] += 11
    breaker.record_failure("second")
    clock[0] += 9
    with pytest.raises(CircuitOpenError, match="second"):
        breaker.require_not_open()
