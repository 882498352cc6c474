"""The task compare of monitor: a candidate beside the current version, from the records that count."""

import json
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from typing import Any

import numpy as np
import pytest

from lambda_app.log.record import PredictionRecord, Shadow
from lambda_app.model.bundle import POINTER_KEY
from lambda_app.monitor import trial_queries
from local.records import make_record
from tests.functional.candidates import CANDIDATE
from tests.functional.watching import LAST_WEEK, NOW, Watched

DAY = timedelta(days=1)
QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)


@pytest.fixture
def trying(watched: Watched) -> Watched:
    """A candidate as a shadow of the current version."""
    watched.registry.add_version(CANDIDATE)
    watched.registry.point(candidate=CANDIDATE, share=0.5)
    return watched


def predict_pairs(watched: Watched, pairs: Iterable[tuple[float, float]], **changed: Any) -> list[PredictionRecord]:
    """Store answers with the predictions of a shadow; the intervals reach 50 and 40 to either side."""
    shadow = changed.pop("shadow_version", CANDIDATE)
    records = [
        make_record(
            **{
                "model_version": watched.version,
                "created_at": LAST_WEEK + timedelta(seconds=place),
                "prediction": current,
                "interval_lower": current - 50,
                "interval_upper": current + 50,
                "latency_ms": 2.0 + place,
                "shadow": Shadow(shadow, candidate, candidate - 40, candidate + 40, 0.9, 1.0 + place),
                **changed,
            }
        )
        for place, (current, candidate) in enumerate(pairs)
    ]
    watched.store(records)
    return records


def compare(watched: Watched) -> dict[str, Any]:
    answer = watched.run({"task": "compare"})
    assert "error" not in answer
    return answer


def without_times(trial: dict[str, Any]) -> dict[str, Any]:
    made = {name: value for name, value in trial["predictions"].items() if name not in {"from", "to"}}
    return {**trial, "since": None, "predictions": made}


def draw(count: int, seed: int = 1) -> tuple[list[tuple[float, float]], list[float]]:
    """Pairs of predictions and their outcomes; the candidate is nearer."""
    generator = np.random.default_rng(seed)
    values = generator.normal(150, 30, count).clip(1)
    current, candidate = (values + generator.normal(0, spread, count) for spread in (40, 5))
    return list(zip(current.tolist(), candidate.tolist(), strict=True)), values.tolist()


def test_without_a_candidate_the_answer_says_so(watched: Watched) -> None:
    told = f"there is no candidate to compare with {watched.version}: promote one with --shadow or --canary"
    assert watched.run({"task": "compare"}) == {"error": told}
    assert watched.report()["candidate"] is None


def test_without_a_model_or_with_a_damaged_candidate_the_answer_says_so(trying: Watched) -> None:
    trying.registry.point(candidate=CANDIDATE, share=2)
    assert "share is not above 0 and at most 1" in trying.run({"task": "compare"})["error"]
    assert trying.report()["candidate"] is None
    trying.registry.write(POINTER_KEY, b"{broken")
    assert trying.run({"task": "compare"}) == {"error": "models/current.json is not JSON"}
    trying.registry.client.delete_object(Bucket=trying.registry.bucket, Key=POINTER_KEY)
    assert trying.run({"task": "compare"}) == {"error": "no model is current"}


def test_candidate_without_a_record_has_no_figures(trying: Watched) -> None:
    found = compare(trying)
    assert without_times(found) == {
        "model_version": CANDIDATE,
        "current_version": trying.version,
        "mode": "shadow",
        "share": 0.5,
        "since": None,
        "predictions": {"pairs": 0},
        "outcomes": {"pairs": 0},
        "least_outcomes": 10,
        "most_outcomes": 50_000,
        "confidence": 0.95,
        "tolerance": {"error": 0.02, "coverage": 0.02},
        "absolute_error": None,
        "coverage": None,
        "verdict": "unclear",
    }


def test_pairs_of_a_shadow_are_described(trying: Watched) -> None:
    pairs, _ = draw(200)
    predict_pairs(trying, pairs)
    predict_pairs(trying, [(100.0, 900.0)], interval_coverage=None, created_at=LAST_WEEK - DAY)
    # Of another candidate, of another version, and without a shadow.
    predict_pairs(trying, [(100.0, 100.0)] * 20, shadow_version="earlier", created_at=LAST_WEEK - 2 * DAY)
    predict_pairs(trying, [(100.0, 100.0)] * 20, model_version="earlier", created_at=LAST_WEEK - 3 * DAY)
    trying.predict([100.0] * 20, created_at=LAST_WEEK - 4 * DAY)
    made = compare(trying)["predictions"]
    current, candidate = np.array([*pairs, (100.0, 900.0)]).T
    differences = candidate - current
    assert made["pairs"] == 201
    assert made["difference"] == pytest.approx(
        {
            "mean": differences.mean(),
            **{f"p{100 * share:.0f}": np.quantile(differences, share) for share in QUANTILES},
        }
    )
    assert made["beyond_interval"] == {"count": (np.abs(differences[:-1]) > 50).sum(), "of": 200}
    assert made["mean_width"] == pytest.approx({"current": 100, "candidate": 80})
    took = np.array([*range(200), 0])
    for name, first in (("candidate", 1.0), ("answer", 2.0)):
        expected = {f"p{100 * share:.0f}": np.quantile(first + took, share) for share in (0.5, 0.95, 0.99)}
        assert made["ms"][name] == pytest.approx(expected)


def test_outcomes_say_which_is_better(trying: Watched) -> None:
    pairs, values = draw(200)
    trying.observe_all(predict_pairs(trying, pairs), values)
    found = compare(trying)
    errors = np.abs(np.array(pairs) - np.array(values)[:, np.newaxis])
    error, coverage = found["absolute_error"], found["coverage"]
    assert found["outcomes"] == {"pairs": 200}
    assert (error["outcomes"], error["verdict"], found["verdict"]) == (200, "better", "better")
    assert (error["current"], error["candidate"]) == pytest.approx(tuple(errors.mean(axis=0)))
    assert error["difference"] == pytest.approx(errors[:, 1].mean() - errors[:, 0].mean())
    assert error["lower"] < error["difference"] < error["upper"] < 0
    assert error["tolerance"] == pytest.approx(0.02 * np.median(errors[:, 0]))
    hits = errors <= [50, 40]
    assert (coverage["current"], coverage["candidate"]) == pytest.approx(tuple(hits.mean(axis=0)))
    assert coverage["verdict"] == "higher"
    assert error["line"][-1][0] == 200
    assert error["line"][-1][1] == (LAST_WEEK + DAY + timedelta(seconds=199)).isoformat()
    # The other way round.
    trying.query("DELETE FROM outcomes")
    trying.query("DELETE FROM predictions")
    turned = [(candidate, current) for current, candidate in pairs]
    trying.observe_all(predict_pairs(trying, turned), values)
    assert compare(trying)["verdict"] == "worse"


def test_few_outcomes_cannot_tell_yet(trying: Watched) -> None:
    pairs, values = draw(15)
    records = predict_pairs(trying, pairs)
    trying.observe_all(records[:9], values[:9])
    found = compare(trying)
    assert (found["outcomes"], found["absolute_error"], found["coverage"]) == ({"pairs": 9}, None, None)
    trying.observe_all(records[9:], values[9:])
    found = compare(trying)
    assert (found["verdict"], found["absolute_error"]["verdict"]) == ("unclear", "unclear")
    assert found["absolute_error"]["needed"]["outcomes"] > 15
    assert found["coverage"]["needed"]["outcomes"] > 15


def test_a_correction_counts_once_and_the_result_is_the_same_again(trying: Watched) -> None:
    pairs, values = draw(60)
    records = predict_pairs(trying, pairs)
    trying.observe_all(records, values)
    before = compare(trying)
    assert without_times(compare(trying)) == without_times(before)
    trying.observe(records[0], 5_000.0, reported_at=NOW)
    # An older report that arrived later.
    trying.observe(records[0], 9_000.0, reported_at=LAST_WEEK)
    after = compare(trying)
    assert after["outcomes"] == before["outcomes"]
    current, candidate = pairs[0]
    assert after["absolute_error"]["current"] - before["absolute_error"]["current"] == pytest.approx(
        (abs(5_000 - current) - abs(values[0] - current)) / 60
    )
    assert after["absolute_error"]["difference"] - before["absolute_error"]["difference"] == pytest.approx(
        (current - candidate - abs(values[0] - candidate) + abs(values[0] - current)) / 60
    )


def test_outcomes_are_followed_in_the_order_of_observation(trying: Watched) -> None:
    # The candidate is worse in those that were observed first and predicted last.
    pairs = [(100.0, 90.0)] * 30 + [(90.0, 100.0)] * 30
    records = predict_pairs(trying, pairs)
    for place, record in enumerate(records):
        trying.observe(record, 90.0, observed_at=NOW - DAY - timedelta(seconds=place))
    line = compare(trying)["absolute_error"]["line"]
    assert line[0][2] == 10
    assert line[-1][2] == pytest.approx(0)


def test_pairs_that_do_not_count_have_no_outcome(trying: Watched) -> None:
    pairs, values = draw(20)
    trying.observe_all(predict_pairs(trying, pairs), values)
    for changed in ({"shadow_version": "earlier"}, {"model_version": "earlier"}):
        others = predict_pairs(trying, [(100.0, 100.0)] * 20, **changed, created_at=LAST_WEEK - 2 * DAY)
        trying.observe_all(others, [500.0] * 20)
    trying.observe_all(trying.predict([100.0] * 20, created_at=LAST_WEEK - 3 * DAY), [500.0] * 20)
    # It was observed before its prediction.
    trying.observe(predict_pairs(trying, [(100.0, 100.0)], created_at=NOW - DAY)[0], 500.0, after=-DAY)
    found = compare(trying)
    assert found["outcomes"] == {"pairs": 20}
    assert found["absolute_error"]["current"] == pytest.approx(np.abs(np.array(pairs)[:, 0] - values).mean())


def test_the_first_outcomes_are_evaluated(trying: Watched, monkeypatch: pytest.MonkeyPatch) -> None:
    pairs, values = draw(40)
    trying.observe_all(predict_pairs(trying, pairs), values)
    monkeypatch.setattr(trial_queries, "MOST_OUTCOMES", 25)
    found = compare(trying)
    assert found["outcomes"] == {"pairs": 25}
    assert found["absolute_error"]["current"] == pytest.approx(np.abs(np.array(pairs)[:25, 0] - values[:25]).mean())


@pytest.fixture
def canary(trying: Watched) -> Watched:
    trying.registry.point(candidate=CANDIDATE, mode="canary", share=0.2)
    return trying


def answer_canary(watched: Watched, values: Sequence[float], share: int = 5) -> list[PredictionRecord]:
    """Store answers, of which the candidate gives one in `share`; it is nearer."""
    generator = np.random.default_rng(3)
    records = []
    for place, value in enumerate(values):
        is_candidate = place % share == 0
        prediction = value + generator.normal(0, 5 if is_candidate else 40)
        reach = 40 if is_candidate else 50
        records.append(
            make_record(
                model_version=CANDIDATE if is_candidate else watched.version,
                created_at=LAST_WEEK + timedelta(seconds=place),
                prediction=prediction,
                interval_lower=prediction - reach,
                interval_upper=prediction + reach,
                latency_ms=3.0 if is_candidate else 2.0,
            )
        )
    watched.store(records)
    return records


def test_canary_is_compared_without_pairs(canary: Watched) -> None:
    _, values = draw(1_000)
    records = answer_canary(canary, values)
    canary.observe_all(records, values)
    found = compare(canary)
    made = found["predictions"]
    assert (found["mode"], found["share"], found["least_outcomes"]) == ("canary", 0.2, 50)
    assert (made["current"]["count"], made["candidate"]["count"], made["candidate_share"]) == (800, 200, 0.2)
    assert made["candidate"]["mean_width"] == pytest.approx(80)
    assert made["candidate"]["ms"] == {"p50": 3, "p95": 3, "p99": 3}
    assert found["outcomes"] == {"current": 800, "candidate": 200}
    errors = {
        version: np.mean(
            [
                abs(record.prediction - value)
                for record, value in zip(records, values, strict=True)
                if record.model_version == version
            ]
        )
        for version in (canary.version, CANDIDATE)
    }
    assert found["absolute_error"]["current"] == pytest.approx(errors[canary.version])
    assert found["absolute_error"]["candidate"] == pytest.approx(errors[CANDIDATE])
    assert (found["verdict"], found["coverage"]["verdict"]) == ("better", "higher")


def test_few_answers_of_a_canary_show_no_figure(canary: Watched) -> None:
    _, values = draw(30)
    canary.observe_all(answer_canary(canary, values), values)
    found = compare(canary)
    assert found["predictions"]["candidate"] == {"count": 6}
    assert found["predictions"]["current"]["count"] == 24
    assert (found["absolute_error"], found["coverage"], found["verdict"]) == (None, None, "unclear")


def name_trial(watched: Watched, sequence: int, **changed: Any) -> Iterator[dict[str, Any]]:
    """Yield the state that the pointer names, with changes to its candidate."""
    pointer = json.loads(watched.registry.read(POINTER_KEY))
    candidate = {**pointer["candidate"], **changed}
    watched.registry.write(POINTER_KEY, json.dumps({**pointer, "candidate": candidate, "sequence": sequence}).encode())
    yield {"version": pointer["version"], "manifest_sha256": pointer["manifest_sha256"], "candidate": candidate}


def write_entry(watched: Watched, sequence: int, at: datetime, state: dict[str, Any], before: int) -> None:
    entry = {"sequence": sequence, "at": at.isoformat(), "from_sequence": before, "to": state}
    watched.registry.write(f"models/history/{sequence:08d}.json", json.dumps(entry).encode())


@pytest.mark.parametrize("mode", ["shadow", "canary"])
def test_the_history_says_when_the_trial_began(trying: Watched, mode: str) -> None:
    [state] = name_trial(trying, 5, mode=mode)
    aborted = {**state, "candidate": None}
    of_less = {**state, "candidate": {**state["candidate"], "share": 0.1}}
    write_entry(trying, 1, NOW - 20 * DAY, state, 0)
    write_entry(trying, 2, NOW - 15 * DAY, aborted, 1)
    write_entry(trying, 3, NOW - 10 * DAY, of_less, 2)
    # Entry 4 was not carried out.
    write_entry(trying, 4, NOW - 9 * DAY, aborted, 3)
    write_entry(trying, 5, NOW - 5 * DAY, state, 3)
    found = compare(trying)
    # With another share, the groups of a canary are of another time.
    begun = NOW - (10 if mode == "shadow" else 5) * DAY
    assert found["since"] == found["predictions"]["from"] == begun.isoformat()


@pytest.mark.parametrize("content", [b"{broken", b"[]", b'{"to": 1}', b'{"at": "yesterday"}'])
def test_damaged_history_leaves_the_window(trying: Watched, content: bytes) -> None:
    list(name_trial(trying, 1))
    trying.registry.write("models/history/00000001.json", content)
    found = compare(trying)
    assert found["since"] == found["predictions"]["from"]
    since, ends = (datetime.fromisoformat(text) for text in (found["since"], found["predictions"]["to"]))
    assert ends - since == 30 * DAY


def test_records_from_before_the_trial_do_not_count(trying: Watched) -> None:
    [state] = name_trial(trying, 1)
    write_entry(trying, 1, LAST_WEEK + timedelta(seconds=9.5), state, 0)
    pairs, values = draw(30)
    trying.observe_all(predict_pairs(trying, pairs), values)
    found = compare(trying)
    assert (found["predictions"]["pairs"], found["outcomes"]) == (20, {"pairs": 20})


def test_report_has_the_comparison(trying: Watched) -> None:
    pairs, values = draw(100)
    trying.observe_all(predict_pairs(trying, pairs), values)
    report = trying.report()
    assert without_times(report["candidate"]) == without_times(compare(trying))
    # The answers are those of the current version alone.
    assert [part["model_version"] for part in report["versions"]] == [trying.version]


def test_no_value_of_a_record_leaves_the_function(trying: Watched, capsys: pytest.CaptureFixture[str]) -> None:
    pairs, values = draw(30)
    pairs[7], values[7] = (137.38291, 137.49382), 137.28193
    records = predict_pairs(trying, pairs, subject="subject-8291", caller="caller-8291")
    trying.observe_all(records, values)
    capsys.readouterr()
    output = json.dumps(compare(trying)) + capsys.readouterr().out
    for text in ("8291", "137.38291", "137.49382", "137.28193"):
        assert text not in output
    assert not any(str(record.request_id) in output for record in records)
