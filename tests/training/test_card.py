"""The model card: the figures of the manifest, rounded, with a verdict against ridge regression."""

import re
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.preprocessing import StandardScaler

from lambda_app.model.interval import IntervalCalibration
from problem.table import TABLE
from training.card import MODEL_CARD, judge_difference, write_model_card
from training.data import load_rows
from training.fit import Curves, Ensemble, Schedule
from training.manifest import describe_version
from training.network import MEMBERS, build_members
from training.run import TrainingRun
from training.validate import Validation

PLOTS = ("feature_importance", "learning_curves", "predicted_vs_actual", "residuals", "interval_coverage")


@pytest.fixture(scope="module")
def made() -> dict[str, Any]:
    """Return the manifest of an invented run. Tests must not change it."""
    rows = load_rows()
    generator = np.random.default_rng(5)
    predicted = rows.targets + generator.normal(0, 50, len(rows))
    margins = generator.uniform(60, 110, len(rows))
    validation = Validation(
        rows.targets,
        predicted,
        np.column_stack([predicted - margins, predicted + margins]),
        rows.targets + generator.normal(0, 52, len(rows)),
        np.zeros((len(TABLE.features), 2)),
        np.arange(len(rows)) < 21,
    )
    ensemble = Ensemble(StandardScaler(), build_members(1), np.empty(0), IntervalCalibration(0.9, []))
    curves = Curves(np.ones((1, 1)), np.ones((1, 1)), np.ones(1), 1)
    run = TrainingRun(rows, 4242, 37, Schedule.COSINE, ensemble, curves, validation, 12.34)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("training.validate.RESAMPLES", 50)
        description = describe_version(
            "20261123T143112Z-71e89a64", datetime(2026, 11, 23, 14, 31, tzinfo=UTC), run, 3e-5
        )
    return {**description, "commit": "6b6c02b91dab747a85b52fa0e05da1917dab9499"}


@pytest.fixture
def read_card(tmp_path: Path, made: dict[str, Any]) -> Callable[..., str]:
    """Write the card, with some of the description changed, and read it."""

    def read(**changed: Any) -> str:
        write_model_card(tmp_path, {**made, **changed})
        return (tmp_path / MODEL_CARD).read_text(encoding="utf-8")

    return read


def test_figures_of_the_metrics_are_there_rounded(read_card: Callable[..., str], made: dict[str, Any]) -> None:
    held_out, ridge, confidence = (made["metrics"][name] for name in ("held_out", "ridge", "confidence"))
    card = read_card()
    for title, name, digits in (("RMSE", "rmse", 2), ("MAE", "mae", 2), ("R²", "r2", 3)):
        own, lower, upper, other = (
            f"{figure:.{digits}f}" for figure in (held_out[name], *confidence[name], ridge[name])
        )
        assert f"| {title} | {own} | {lower} to {upper} | {other} |" in card
    lower, upper = confidence["rmse_less_ridge"]
    difference = f"{held_out['rmse'] - ridge['rmse']:+.2f}"
    assert f"{difference} against ridge regression (95 % interval {lower:.2f} to {upper:.2f})" in _join_lines(card)
    thirds = zip(held_out["coverage_by_third"], held_out["mean_width_by_third"], strict=True)
    for title, (share, width) in zip(("Lowest", "Middle", "Highest"), thirds, strict=True):
        assert f"| {title} | {100 * share:.1f} % | {width:.0f} |" in card
    assert f"| All | {100 * held_out['coverage']:.1f} % | {held_out['mean_width']:.0f} |" in card
    assert "meant to hold the truth for 90 % of patients" in _join_lines(card)


def test_patients_unlike_the_training_are_counted(read_card: Callable[..., str], made: dict[str, Any]) -> None:
    held_out = made["metrics"]["held_out"]
    card = _join_lines(read_card())
    assert "On 421 held-out patients like those of the training without them it did so for" in card
    assert (
        f"21 of the held-out patients were such; their intervals, {held_out['outside']['mean_width']:.0f} wide on "
        f"average, held the truth for {100 * held_out['outside']['coverage']:.1f} %."
    ) in card
    nobody = {"rows": 0, "coverage": None, "mean_width": None}
    card = _join_lines(read_card(metrics={**made["metrics"], "held_out": {**held_out, "outside": nobody}}))
    assert "None of the held-out patients was one of them." in card


def test_training_and_its_libraries_are_there(read_card: Callable[..., str], made: dict[str, Any]) -> None:
    card = _join_lines(read_card())
    assert "python -m training train --seed 4242 --epochs 37" in card
    assert "at most 37 epochs, by the schedule cosine" in card
    assert "falls along a cosine to zero" in card
    assert "It took 12.3 seconds" in card
    assert f"An ensemble of {MEMBERS} small neural networks" in card
    assert "differs from the trained network by at most 3e-05; 0.00096 is allowed" in card
    assert made["data_sha256"] in card
    for name, version in made["libraries"].items():
        assert f"{name} {version}" in card


def test_other_schedule_is_named(read_card: Callable[..., str], made: dict[str, Any]) -> None:
    card = _join_lines(read_card(training={**made["training"], "schedule": "plateau"}))
    assert "by the schedule plateau: the learning rate starts at" in card


def test_every_feature_has_its_row_with_the_range_seen(read_card: Callable[..., str], made: dict[str, Any]) -> None:
    card = read_card()
    for feature, seen in zip(TABLE.features, made["features"], strict=True):
        limits = f"{seen['minimum']:g} to {seen['maximum']:g}"
        assert f"| `{feature.name}` | {feature.meaning} | {feature.unit} | {limits} |" in card


@pytest.mark.parametrize(
    ("commit", "told"),
    [
        ("6b6c02b91dab", "trained on 2026-11-23 at 14:31 UTC from commit `6b6c02b91dab`."),
        (None, "source code whose commit is not known"),
        ("6b6c02b-dirty", "`6b6c02b` with changes that were not committed"),
    ],
)
def test_card_starts_with_version_date_and_commit(commit: str | None, told: str, read_card: Callable[..., str]) -> None:
    card = _join_lines(read_card(commit=commit))
    assert card.startswith("# Model card: 20261123T143112Z-71e89a64 ")
    assert told in card
    assert ("not committed" in card) == (commit == "6b6c02b-dirty")
    assert "None" not in card


@pytest.mark.parametrize(
    ("ends", "verdict"),
    [
        ((-1.59, 0.15), "The interval includes zero: these patients do not show that the network predicts better or"),
        ((-1.59, -0.15), "The interval excludes zero: on such patients the network predicts better than ridge"),
        ((0.15, 1.59), "The interval excludes zero: on such patients the network predicts worse than ridge"),
        ((0.0, 1.59), "The interval includes zero: "),
    ],
)
def test_verdict_on_ridge_regression_follows_the_interval(
    ends: tuple[float, float], verdict: str, read_card: Callable[..., str], made: dict[str, Any]
) -> None:
    assert judge_difference(ends).startswith(verdict)
    metrics = made["metrics"]
    confidence = {**metrics["confidence"], "rmse_less_ridge": list(ends)}
    assert verdict in read_card(metrics={**metrics, "confidence": confidence})


def test_card_is_complete_with_its_plots_and_whole_tables(read_card: Callable[..., str]) -> None:
    card = read_card()
    assert not re.search(r"\b(None|nan|inf)\b|[{}]", card)
    shown = re.findall(r"^!\[[^\]]+\]\((\w+)\.png\)\n\n\w.+", card, flags=re.MULTILINE)
    assert tuple(shown) == PLOTS
    assert "**not** for diagnosis, **not** for treatment" in _join_lines(card)
    tables = [block.splitlines() for block in card.split("\n\n") if block.startswith("|")]
    assert [len(table) for table in tables] == [12, 5, 6]
    for table in tables:
        assert len({line.count("|") for line in table}) == 1


def _join_lines(text: str) -> str:
    """Without the line breaks inside paragraphs, which do not show."""
    return " ".join(text.split())
