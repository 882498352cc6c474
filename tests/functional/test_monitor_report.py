"""The report of monitor: its figures are those of the outcomes that count, whatever else is in the tables."""

import copy
import math
from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import uuid4

import numpy as np
import pytest

from lambda_app.model.bundle import INTERVAL
from lambda_app.model.interval import parse_calibration
from lambda_app.monitor import queries
from lambda_app.tasks import TaskFailedError
from problem.table import TABLE
from tests.functional.helpers import DEAD_DATABASE
from tests.functional.watching import LAST_WEEK, NOW, Watched

DAY = timedelta(days=1)
# Powertools says so when a run ends without any, as one does that fails early.
SHAPE = {
    "model_version", "is_current", "promised", "predictions", "due", "delay_days", "live", "thirds", "expected",
    "over_time", "sentinel",
}  # fmt: skip
FIGURES = {"mae", "rmse", "bias", "r2", "coverage", "mean_width"}


def list_values(figures: dict[str, Any]) -> dict[str, float]:
    return {name: figures[name]["value"] for name in FIGURES}


def without_times(report: dict[str, Any]) -> dict[str, Any]:
    """The report without what says when it was made."""
    stable = copy.deepcopy(report)
    del stable["generated_at"]
    for part in [*(one[name] for one in stable["versions"] for name in ("predictions", "due")), stable["drift"]]:
        if part:
            del part["from"], part["to"]
    return stable


def test_empty_database_gives_a_report_of_the_promise(watched: Watched, manifest: dict[str, Any]) -> None:
    answer = watched.run()
    assert answer["is_alarm"] == {"coverage": False, "drift": False}
    report = watched.report()
    held_out = manifest["metrics"]["held_out"]
    names = ("rows", "rmse", "mae", "bias", "r2", "coverage", "mean_width")
    assert report["settings"] == {
        "coverage": 0.9,
        "tolerance": 0.04,
        "outcomes_to_false_alarm": 10_000,
        "window_days": 30,
        "most_outcomes": 10_000,
        "drift_false_alarms_per_year": 1,
        "least_cases": 100,
    }
    assert (report["format"], report["current_version"]) == (1, watched.version)
    [version] = report["versions"]
    assert version.keys() == SHAPE
    assert version["promised"] == {name: held_out[name] for name in names}
    assert (version["predictions"]["count"], version["predictions"]["with_outcome"]) == (0, 0)
    assert (
        version["due"] is version["delay_days"] is version["live"] is version["expected"] is version["sentinel"] is None
    )
    assert version["over_time"] == []
    assert [third["promised"]["coverage"] for third in version["thirds"]] == held_out["coverage_by_third"]
    assert [third["promised"]["bias"] for third in version["thirds"]] == held_out["bias_by_third"]
    assert [third["to"] for third in version["thirds"]] == [*held_out["third_edges"], None]
    assert {(third["predictions"], third["live"]) for third in version["thirds"]} == {(0, None)}
    assert (report["drift"]["cases"], report["drift"]["tests"], report["drift"]["is_alarm"]) == (0, [], False)
    assert report["note"] == "0 cases are too few to be compared, 100 are needed"


def test_without_a_model_there_is_a_report_too(watched: Watched) -> None:
    watched.registry.client.delete_object(Bucket=watched.registry.bucket, Key="models/current.json")
    report = watched.report()
    assert (report["current_version"], report["versions"], report["drift"]) == (None, [], None)
    assert report["note"] == "no model is current"
    watched.predict([100.0])
    [version] = watched.report()["versions"]
    assert (version["is_current"], version["predictions"]["count"]) == (False, 1)


def test_predictions_without_outcome_have_an_expected_error(watched: Watched, bundle: Any) -> None:
    predictions = np.linspace(40, 320, 500)
    watched.predict(predictions)
    watched.predict([5000.0], interval_coverage=None)
    version = watched.describe()
    assert (version["predictions"]["count"], version["live"], version["sentinel"]) == (501, None, None)
    folds = parse_calibration((bundle / INTERVAL).read_bytes()).folds
    errors = [fold.expect_error(value) for value in predictions.tolist() for fold in folds]
    assert version["expected"]["count"] == 500
    assert version["expected"]["mae"] == pytest.approx(np.mean(errors), rel=1e-3)


def test_live_figures_are_those_of_the_outcomes(watched: Watched) -> None:
    generator = np.random.default_rng(0)
    predictions = generator.uniform(60, 280, 120)
    values = predictions + generator.normal(-5, 30, 120)
    records = watched.predict(predictions)
    watched.observe_all(records, values)
    waiting = watched.predict(generator.uniform(60, 280, 40), created_at=LAST_WEEK - DAY)
    version = watched.describe()
    errors = predictions - values
    assert version["live"]["outcomes"] == 120
    assert list_values(version["live"]) == pytest.approx(
        {
            "mae": np.abs(errors).mean(),
            "rmse": math.sqrt((errors**2).mean()),
            "bias": errors.mean(),
            "r2": 1 - (errors**2).mean() / values.var(),
            "coverage": (np.abs(errors) <= 50).mean(),
            "mean_width": 100,
        }
    )
    for figure in FIGURES:
        found = version["live"][figure]
        assert found["lower"] <= found["value"] <= found["upper"]
    assert version["predictions"]["count"] == 160
    assert version["predictions"]["with_outcome"] == 120
    assert version["expected"]["count"] == len(waiting)
    assert version["delay_days"]["p50"] == pytest.approx(1)
    assert sum(version["delay_days"]["counts"]) == 120
    assert (version["due"]["count"], version["due"]["with_outcome"]) == (160, 120)
    assert sum(third["live"]["outcomes"] for third in version["thirds"]) == 120
    assert sum(third["predictions"] for third in version["thirds"]) == 160
    lowest = predictions < version["thirds"][0]["to"]
    assert version["thirds"][0]["live"]["bias"]["value"] == pytest.approx(errors[lowest].mean())
    assert version["thirds"][0]["with_outcome"] == lowest.sum()
    assert [block["outcomes"] for block in version["over_time"]] == [60, 60]
    assert version["over_time"][0]["mae"]["value"] == pytest.approx(np.abs(errors[:60]).mean())
    sentinel = version["sentinel"]
    assert (sentinel["outcomes"], sentinel["threshold"], sentinel["is_alarm"]) == (120, 10_000, False)
    assert [point[0] for point in sentinel["line"]] == list(range(1, 121))
    assert sentinel["line"][-1][2] == sentinel["evidence"]


def test_sentinel_follows_the_order_of_observation(watched: Watched) -> None:
    records = watched.predict([100.0] * 300)
    for place, record in enumerate(records):
        # The last 100 that were observed miss. They were reported first.
        is_late = place < 100
        watched.observe(record, 500.0 if is_late else 100.0, observed_at=NOW - (DAY if is_late else 2 * DAY))
    answer = watched.run()
    assert answer["is_alarm"]["coverage"]
    sentinel = watched.describe()["sentinel"]
    assert sentinel["is_alarm"]
    assert sentinel["evidence"] > sentinel["threshold"]
    [alarm] = sentinel["alarms"]
    assert 200 < alarm["outcome"] <= 210
    assert alarm["observed_at"] == (NOW - DAY).isoformat()


def test_the_outcome_that_was_reported_last_counts(watched: Watched) -> None:
    records = watched.predict([100.0] * 20)
    watched.observe_all(records, [110.0] * 20)
    for record in records[:5]:
        watched.observe(record, 140.0, reported_at=NOW)
        # An older report that arrived later, after hours in the queue.
        watched.observe(record, 900.0, reported_at=LAST_WEEK)
    version = watched.describe()
    assert (version["live"]["outcomes"], version["predictions"]["with_outcome"]) == (20, 20)
    assert version["live"]["mae"]["value"] == pytest.approx((15 * 10 + 5 * 40) / 20)


def test_outcomes_before_or_without_their_prediction_are_passed_over(watched: Watched) -> None:
    records = watched.predict([100.0] * 20)
    watched.observe_all(records[1:], [100.0] * 19)
    watched.observe(records[0], 900.0, after=-DAY)
    watched.observe(uuid4(), 900.0)
    version = watched.describe()
    assert version["live"]["outcomes"] == 19
    assert version["live"]["mae"] == {"value": 0, "lower": 0, "upper": 0}
    assert version["live"]["r2"] == {"value": None, "lower": None, "upper": None}


def test_outcomes_of_unknown_predictions_take_no_place_of_others(
    watched: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(queries, "MOST_READ", 30)
    watched.observe_all(watched.predict([100.0] * 20), [100.0] * 20)
    # A file for another environment, for example.
    for _ in range(30):
        watched.observe(uuid4(), 900.0, observed_at=NOW)
    assert watched.describe()["live"]["outcomes"] == 20


@pytest.mark.parametrize("count", [1, 120])
def test_outcome_without_measure_leaves_the_rest_of_the_report(watched: Watched, count: int) -> None:
    predictions = np.linspace(60, 280, 120).tolist()
    watched.observe_all(watched.predict(predictions), [*[1.7e308] * count, *predictions[count:]])
    version = watched.describe()
    assert version["live"]["outcomes"] == 120
    assert version["live"]["coverage"]["value"] == pytest.approx(1 - count / 120)
    for name in ("mae", "rmse", "bias", "r2"):
        assert version["live"][name] == {"value": None, "lower": None, "upper": None}
    assert version["sentinel"]["outcomes"] == 120


def test_cases_outside_count_in_the_errors_alone(watched: Watched) -> None:
    records = watched.predict([100.0] * 30)
    outside = watched.predict([100.0] * 10, interval_coverage=None, created_at=LAST_WEEK - DAY)
    watched.observe_all(records, [100.0] * 30)
    watched.observe_all(outside, [500.0] * 10)
    version = watched.describe()
    assert version["live"]["outcomes"] == 40
    assert version["live"]["mae"]["value"] == 100
    assert version["live"]["coverage"]["value"] == 1
    assert version["sentinel"]["outcomes"] == 30
    assert version["sentinel"]["evidence"] < 30
    watched.query("UPDATE predictions SET interval_coverage = NULL")
    version = watched.describe()
    assert version["live"]["coverage"] == {"value": None, "lower": None, "upper": None}
    assert version["sentinel"] is None


def test_each_version_has_its_own_figures(watched: Watched) -> None:
    watched.observe_all(watched.predict([100.0] * 20), [110.0] * 20)
    old = watched.predict([100.0] * 15, model_version="old", created_at=NOW - 200 * DAY)
    watched.observe_all(old, [150.0] * 15)
    found = {part["model_version"]: part for part in watched.report()["versions"]}
    assert found.keys() == {watched.version, "old"}
    assert [found[name]["is_current"] for name in (watched.version, "old")] == [True, False]
    assert [found[name]["live"]["bias"]["value"] for name in (watched.version, "old")] == [-10, -50]
    assert (found["old"]["promised"], found["old"]["thirds"], found["old"]["predictions"]["count"]) == (None, [], 0)


def test_few_outcomes_show_no_figure_of_a_case(watched: Watched) -> None:
    watched.observe_all(watched.predict([100.0] * 9), [110.0] * 9)
    version = watched.describe()
    assert version["predictions"]["with_outcome"] == 9
    assert version["live"] is version["delay_days"] is version["due"] is None


def test_a_repeated_run_gives_the_same_report_and_adds_to_the_history(watched: Watched) -> None:
    watched.observe_all(watched.predict(range(60, 260)), range(80, 280))
    first, second = watched.report(), watched.report()
    assert without_times(first) == without_times(second)
    found = watched.registry.client.list_objects_v2(Bucket=watched.registry.bucket, Prefix="reports/history/")
    assert found["KeyCount"] == 2


@pytest.mark.parametrize(
    ("change", "note"),
    [
        (lambda manifest: manifest.pop("reference"), "its manifest has no reference"),
        (lambda manifest: manifest["reference"]["features"].pop("bmi"), "cannot be read: KeyError('bmi')"),
        (lambda manifest: manifest["reference"]["prediction"].update(counts=[1, 2]), "is not a histogram"),
        (lambda manifest: manifest["reference"].update(features=[]), "cannot be read"),
    ],
)
def test_old_or_damaged_reference_leaves_the_rest_of_the_report(
    watched: Watched, change: Callable[[dict[str, Any]], object], note: str
) -> None:
    watched.observe_all(watched.predict(range(100, 200)), range(100, 200))
    watched.registry.rewrite_manifest(change)
    report = watched.report()
    assert report["drift"] is None
    assert report["note"].startswith(f"{watched.version}: ")
    assert note in report["note"]
    assert report["versions"][0]["promised"]["rmse"] > 0
    assert report["versions"][0]["live"]["outcomes"] == 100


def test_manifest_of_an_older_training_has_fewer_promises(watched: Watched) -> None:
    def age(manifest: dict[str, Any]) -> None:
        held_out = manifest["metrics"]["held_out"]
        del manifest["reference"], held_out["bias"], held_out["third_edges"]

    watched.registry.rewrite_manifest(age)
    watched.observe_all(watched.predict(range(100, 200)), range(100, 200))
    version = watched.describe()
    assert version["promised"]["bias"] is None
    assert version["promised"]["coverage"] > 0.8
    assert version["thirds"] == []
    assert version["live"]["outcomes"] == 100


def test_number_larger_than_any_float_promises_nothing(watched: Watched) -> None:
    def enlarge(manifest: dict[str, Any]) -> None:
        manifest["metrics"]["held_out"]["rmse"] = manifest["interval"]["coverage"] = 10**400

    watched.registry.rewrite_manifest(enlarge)
    report = watched.report()
    assert report["settings"]["coverage"] is report["versions"][0]["promised"]["rmse"] is None
    assert report["versions"][0]["promised"]["mae"] > 0


@pytest.mark.parametrize("name", ["manifest.json", INTERVAL, "models/current.json"])
def test_damaged_files_leave_the_figures_of_the_database(watched: Watched, name: str) -> None:
    watched.observe_all(watched.predict(range(100, 200)), range(100, 200))
    watched.predict(range(100, 150), created_at=LAST_WEEK - DAY)
    watched.registry.write(name if "/" in name else watched.registry.key(name), b"{broken")
    report = watched.report()
    [version] = report["versions"]
    assert version["live"]["outcomes"] == 100
    if name == INTERVAL:
        assert version["expected"] is None
        assert version["promised"] is not None
    elif name == "manifest.json":
        assert (version["promised"], report["drift"]) == (None, None)
        assert "another SHA-256" in report["note"]
    else:
        assert report["current_version"] is None
        assert report["note"] == "models/current.json is not JSON"


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({**DEAD_DATABASE}, "report: ConnectionRefusedError"),
        ({"MODEL_BUCKET": "missing-bucket"}, "report: GetObject NoSuchBucket"),
    ],
)
def test_database_or_bucket_that_is_away_fails_the_run(
    watched: Watched, changed: dict[str, str], reason: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(TaskFailedError, match=f"^{reason}$"):
        watched.run(**changed)
    assert '"MonitorReports":[0.0]' in capsys.readouterr().out


def test_unknown_task_is_an_error_that_names_the_tasks(watched: Watched) -> None:
    assert watched.run({"task": "guess"}) == {"error": "there is no task 'guess': use report, pairs, compare"}
    assert watched.run({"task": "pairs"}) == {"error": "model_version must name a version"}


def test_pairs_are_those_with_a_promise_in_observed_order(watched: Watched) -> None:
    records = watched.predict([100.0, 110.0, 120.0])
    outside = watched.predict([130.0], interval_coverage=None)
    for record, hours in zip([*records, *outside], (3, 1, 2, 4), strict=True):
        watched.observe(record, record.prediction + 1, observed_at=LAST_WEEK + timedelta(days=1, hours=hours))
    pairs = watched.run({"task": "pairs", "model_version": watched.version})["pairs"]
    times = [(LAST_WEEK + timedelta(days=1, hours=hours)).isoformat() for hours in (1, 2, 3)]
    assert pairs == [
        [110, 60, 160, 111, times[0]],
        [120, 70, 170, 121, times[1]],
        [100, 50, 150, 101, times[2]],
    ]
    assert watched.run({"task": "pairs", "model_version": "other"}) == {"pairs": []}


def test_no_id_caller_subject_or_measurement_leaves_the_function(
    watched: Watched, capsys: pytest.CaptureFixture[str]
) -> None:
    features = {**dict.fromkeys(TABLE.names, 61.870319), "sex": 2.0}
    records = watched.predict(range(100, 150), features=features, subject="subject-8291", caller="caller-8291")
    watched.observe_all(records, [187.38291, *range(90, 139)])
    capsys.readouterr()
    report = watched.registry.read(watched.run()["report_key"]).decode()
    output = capsys.readouterr().out
    for text in (report, output):
        assert "subject-8291" not in text
        assert "caller-8291" not in text
        assert "61.870319" not in text
        assert "187.38291" not in text
        assert not any(str(record.request_id) in text for record in records)
    for name in ("MonitorReports", "CoverageEvidence", "CoverageAlarm", "DriftAlarm", "DriftedColumns", "OutcomeShare",
                 "LiveMAE", "LiveRMSE", "LiveCoverage"):  # fmt: skip
        assert f'"{name}":[' in output
