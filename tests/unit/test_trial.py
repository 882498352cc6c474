"""A candidate beside the current model: which cases it meets, and that none of its faults reaches an answer."""

import random
from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

import pytest
from scipy.stats import chi2

from lambda_app.errors import PredictionError
from lambda_app.model.bundle import Candidate
from lambda_app.model.predictor import Interval, Prediction
from lambda_app.model.trial import Trial, is_chosen

Cases = Sequence[Mapping[str, float]]

SALT = "0123456789abcdef"
KEYS = [f"subject-{number}" for number in range(40)]
CASES: Cases = [{"value": float(number)} for number in range(40)]


class Model:
    """Predicts the value of a case plus `offset`; counts its inferences, takes its time, or fails."""

    def __init__(self, offset: float) -> None:
        self.offset = offset
        self.asked: list[list[float]] = []
        self.error: Exception | None = None
        self.takes_seconds = 0.0
        self.clock = 0.0

    def predict(self, cases: Cases) -> list[Prediction]:
        self.asked.append([case["value"] for case in cases])
        self.clock += self.takes_seconds
        if self.error is not None:
            raise self.error
        return [Prediction(case["value"] + self.offset, Interval(0.0, 1.0, 0.9), []) for case in cases]


class Stage:
    """A trial of a candidate, which answers 1000 more than the current model."""

    def __init__(self, mode: Any, share: float, fault: str | None = None) -> None:
        self.current, self.other = Model(0.0), Model(1000.0)
        self.failures: list[tuple[str, str]] = []
        candidate = Candidate("v2", "digest", mode, share, SALT)
        model: Any = self.other
        self.trial = Trial(
            candidate,
            model,
            fault,
            max_ms=100,
            on_failed=lambda version, reason: self.failures.append((version, reason)),
            clock=lambda: self.other.clock,
        )

    def predict(self) -> Any:
        current: Any = self.current
        return self.trial.predict(current, CASES, KEYS)


def choose(share: float, keys: Sequence[str] = KEYS, salt: str = SALT) -> list[int]:
    candidate = Candidate("v2", "digest", "canary", share, salt)
    return [place for place, key in enumerate(keys) if is_chosen(candidate, key)]


@pytest.mark.parametrize("share", [0.01, 0.05, 0.2, 0.5])
@pytest.mark.parametrize("kind", ["subjects in order", "request ids"])
def test_share_of_ten_thousand_requests_is_the_one_asked_for(share: float, kind: str) -> None:
    chance = random.Random(19)
    keys = [f"patient-{n}" for n in range(10_000)]
    if kind == "request ids":
        keys = [f"arn:aws:iam::123456789012:role/Clinic {UUID(int=chance.getrandbits(128))}" for _ in range(10_000)]
    count, expected = len(choose(share, keys, f"{chance.getrandbits(64):016x}")), share * len(keys)
    statistic = (count - expected) ** 2 / expected + (count - expected) ** 2 / (len(keys) - expected)
    assert chi2.sf(statistic, df=1) > 0.001


def test_share_of_one_is_everybody_and_a_growing_share_keeps_those_it_had() -> None:
    assert choose(1.0) == list(range(len(KEYS)))
    assert 0 < len(choose(0.2)) < len(choose(0.6)) < len(KEYS)
    assert set(choose(0.2)) < set(choose(0.6))


def test_another_salt_chooses_others() -> None:
    assert choose(0.5) != choose(0.5, salt="fedcba9876543210")


def test_choice_is_the_one_that_the_documents_describe() -> None:
    # By an independent tool: printf 0123456789abcdefsubject-1 | sha256sum begins with 5fabc177bd1f6f9a.
    threshold = int("5fabc177bd1f6f9a", 16) / 2**64
    candidate = Candidate("v2", "digest", "canary", threshold, SALT)
    assert not is_chosen(candidate, "subject-1")
    assert is_chosen(Candidate("v2", "digest", "canary", threshold + 1e-9, SALT), "subject-1")


def test_canary_asks_each_model_once_for_its_own_cases() -> None:
    stage = Stage("canary", 0.5)
    chosen = choose(0.5)
    tried = stage.predict()
    assert tried.answered == frozenset(chosen)
    assert tried.shadows == {}
    assert [answer.value for answer in tried.predictions] == [
        place + (1000 if place in tried.answered else 0) for place in range(40)
    ]
    assert stage.other.asked == [chosen]
    assert stage.current.asked == [[place for place in range(40) if place not in chosen]]
    assert tried.version == "v2"


def test_canary_of_all_asks_the_current_model_nothing() -> None:
    stage = Stage("canary", 1.0)
    assert stage.predict().answered == frozenset(range(40))
    assert stage.current.asked == []


def test_shadow_predicts_for_its_share_and_answers_none() -> None:
    stage = Stage("shadow", 0.5)
    stage.other.takes_seconds = 0.08
    tried = stage.predict()
    assert [answer.value for answer in tried.predictions] == list(range(40))
    assert tried.answered == frozenset()
    assert {place: shadow.value for place, shadow in tried.shadows.items()} == {n: n + 1000 for n in choose(0.5)}
    assert tried.case_ms == pytest.approx(80 / len(choose(0.5)))
    assert (len(stage.current.asked), len(stage.other.asked)) == (1, 1)


FAILURES = [
    (PredictionError("not a finite number"), "not a finite number"),
    (ValueError("age is 59"), "ValueError"),
    (MemoryError(), "MemoryError"),
]


@pytest.mark.parametrize("mode", ["shadow", "canary"])
@pytest.mark.parametrize(("error", "reason"), FAILURES, ids=lambda value: str(value)[:20])
def test_failing_candidate_leaves_the_answers_as_without_it(mode: str, error: Exception, reason: str) -> None:
    stage = Stage(mode, 0.5)
    stage.other.error = error
    for _ in range(2):
        tried = stage.predict()
        assert [answer.value for answer in tried.predictions] == list(range(40))
        assert (tried.answered, tried.shadows) == (frozenset(), {})
    # Each request asks it again; a type says enough, because a text may quote a value.
    assert stage.failures == [("v2", reason)] * 2
    assert stage.trial.fault is None


@pytest.mark.parametrize("mode", ["shadow", "canary"])
def test_slow_candidate_is_not_asked_again(mode: str) -> None:
    stage = Stage(mode, 0.5)
    stage.other.takes_seconds = 0.101
    for _ in range(3):
        tried = stage.predict()
        assert [answer.value for answer in tried.predictions] == list(range(40))
        assert (tried.answered, tried.shadows) == (frozenset(), {})
    assert len(stage.other.asked) == 1
    fault = f"it took 101 ms (cases: {len(choose(0.5))}), more than CANDIDATE_MAX_MS"
    assert stage.failures == [("v2", fault)]
    assert stage.trial.fault == fault


@pytest.mark.parametrize(("seconds", "is_slow"), [(0.249, False), (0.251, True)])
def test_candidate_may_take_longer_for_more_than_a_hundred_cases(seconds: float, is_slow: bool) -> None:
    stage = Stage("shadow", 1.0)
    stage.other.takes_seconds = seconds
    current: Any = stage.current
    tried = stage.trial.predict(current, [{"value": 1.0}] * 250, [f"subject-{number}" for number in range(250)])
    assert len(tried.shadows) == (0 if is_slow else 250)
    assert len(stage.failures) == is_slow


@pytest.mark.parametrize("mode", ["shadow", "canary"])
def test_candidate_with_a_fault_is_not_asked(mode: str) -> None:
    stage = Stage(mode, 1.0, fault="no such file")
    assert [answer.value for answer in stage.predict().predictions] == list(range(40))
    assert (stage.other.asked, stage.failures) == ([], [])


def test_failure_of_the_current_model_stays_one() -> None:
    stage = Stage("shadow", 1.0)
    stage.current.error = PredictionError("not a finite number")
    with pytest.raises(PredictionError):
        stage.predict()
    assert stage.failures == []
