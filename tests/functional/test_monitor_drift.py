"""Drift by monitor: the window is counted by PostgreSQL in the bins of the manifest, one case for each subject."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import numpy as np
import pytest

from problem.table import TABLE
from tests.functional.watching import LAST_WEEK, NOW, Watched, draw_cases, draw_column

DAY = timedelta(days=1)


@pytest.fixture
def reference(manifest: dict[str, Any]) -> dict[str, Any]:
    return dict(manifest["reference"])


def fill(watched: Watched, cases: Sequence[dict[str, float]], reference: dict[str, Any], **changed: Any) -> None:
    """Store predictions for the cases, with predictions spread as in the reference."""
    predictions = draw_column(reference["prediction"], len(cases), np.random.default_rng(1))
    for case, prediction in zip(cases, predictions, strict=True):
        watched.predict([prediction], features=case, **changed)


def list_tests(report: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {test["name"]: test for test in report["drift"]["tests"]}


def test_cases_like_those_of_the_training_give_no_alarm(watched: Watched, reference: dict[str, Any]) -> None:
    cases = draw_cases(reference, 300, seed=0)
    fill(watched, cases, reference)
    report = watched.report()
    drift = report["drift"]
    assert (drift["predictions"], drift["cases"], drift["is_alarm"], report["note"]) == (300, 300, False, None)
    assert drift["alpha"] == 1 / 365.25
    assert [test["name"] for test in drift["tests"]] == [*TABLE.names, "prediction"]
    assert [test["kind"] for test in drift["tests"]] == ["feature"] * len(TABLE.names) + ["prediction"]
    for name, test in list_tests(report).items():
        entry = reference["prediction"] if name == "prediction" else reference["features"][name]
        assert test["reference"] == entry["counts"]
        assert (sum(test["window"]), test["cases"]) == (300, 300)
        if "values" in entry:
            assert test["values"] == entry["values"]
            assert test["window"] == [sum(case[name] == code for case in cases) for code in entry["values"]]
        elif name != "prediction":
            assert test["edges"] == entry["edges"]
            places = np.searchsorted(entry["edges"], [case[name] for case in cases], side="right")
            assert test["window"] == np.bincount(places, minlength=len(entry["counts"])).tolist()


def test_a_unit_by_mistake_is_found_in_its_columns_alone(
    watched: Watched, reference: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    # Cholesterol in mmol/L, where the service expects mg/dL.
    cases = [{**case, "s1": case["s1"] / 38.67} for case in draw_cases(reference, 150, seed=0)]
    fill(watched, cases, reference)
    assert watched.run()["is_alarm"] == {"coverage": False, "drift": True}
    assert '"DriftedColumns":[1.0]' in capsys.readouterr().out
    report = watched.report()
    tests = list_tests(report)
    assert report["drift"]["is_alarm"]
    assert [name for name, test in tests.items() if test["is_drift"]] == ["s1"]
    assert tests["s1"]["window"] == [150, *[0] * (len(tests["s1"]["reference"]) - 1)]
    assert tests["s1"]["adjusted_p"] < 1e-10
    assert tests["s1"]["cramers_v"] > 0.5
    assert tests["s1"]["psi"] > 1


def test_of_a_subject_only_the_newest_case_counts(watched: Watched, reference: dict[str, Any]) -> None:
    cases = draw_cases(reference, 120, seed=0)
    fill(watched, cases, reference)
    # Stored in order: the first one's subject is subject-1.
    watched.query(
        "UPDATE predictions SET subject = 'subject-' || place FROM"
        " (SELECT request_id, row_number() OVER (ORDER BY recorded_at) AS place FROM predictions) AS numbered"
        " WHERE numbered.request_id = predictions.request_id"
    )
    odd = {**cases[0], "bmi": 79.0}
    # One patient two hundred times, and then as before.
    fill(watched, [odd] * 200, reference, subject="subject-1", created_at=LAST_WEEK - DAY)
    report = watched.report()
    drift = report["drift"]
    assert (drift["predictions"], drift["cases"], drift["is_alarm"]) == (320, 120, False)
    places = np.searchsorted(reference["features"]["bmi"]["edges"], [case["bmi"] for case in cases], side="right")
    assert list_tests(report)["bmi"]["window"] == np.bincount(places, minlength=10).tolist()
    fill(watched, [odd], reference, subject="subject-1", created_at=NOW - DAY)
    after = list_tests(watched.report())["bmi"]["window"]
    assert (sum(after), after[-1]) == (120, int((places == 9).sum()) + (places[0] != 9))


def test_other_versions_and_older_cases_are_not_in_the_window(watched: Watched, reference: dict[str, Any]) -> None:
    cases = draw_cases(reference, 100, seed=0)
    fill(watched, cases[:99], reference)
    fill(watched, cases[:50], reference, model_version="old")
    fill(watched, cases[:50], reference, created_at=NOW - 31 * DAY)
    report = watched.report()
    assert (report["drift"]["cases"], report["drift"]["tests"]) == (99, [])
    assert report["note"] == "99 cases are too few to be compared, 100 are needed"
    longer = watched.report(MONITOR_WINDOW_DAYS="60")
    assert (longer["drift"]["cases"], longer["settings"]["window_days"], longer["note"]) == (149, 60, None)
