"""The model card: the figures of the manifest, rounded, with a verdict against ridge regression."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from problem.table import TABLE
from training.card import MODEL_CARD, judge_difference, write_model_card
from training.network import MEMBERS

PLOTS = ("feature_importance", "learning_curves", "predicted_vs_actual", "residuals", "interval_coverage")


@pytest.fixture
def read_card(tmp_path: Path, manifest: dict[str, Any]) -> Callable[..., str]:
    """Write the card, with some of the description changed, and read it."""

    def read(**changed: Any) -> str:
        write_model_card(tmp_path, {**manifest, **changed})
        return (tmp_path / MODEL_CARD).read_text(encoding="utf-8")

    return read


def test_figures_of_the_metrics_are_there_rounded(read_card: Callable[..., str], manifest: dict[str, Any]) -> None:
    held_out, ridge, confidence = (manifest["metrics"][name] for name in ("held_out", "ridge", "confidence"))
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


def test_patients_unlike_the_training_are_counted(read_card: Callable[..., str], manifest: dict[str, Any]) -> None:
    held_out = manifest["metrics"]["held_out"]

    def read(**outside: float | None) -> str:
        metrics = {**manifest["metrics"], "held_out": {**held_out, "outside": outside}}
        return _join_lines(read_card(metrics=metrics))

    card = read(rows=21, coverage=0.9, mean_width=250)
    assert "On 421 held-out patients like those of the training without them it did so for" in card
    assert (
        "21 of the held-out patients were such; their intervals, 250 wide on average, held the truth for 90.0 %."
    ) in card
    assert "None of the held-out patients was one of them." in read(rows=0, coverage=None, mean_width=None)


def test_training_and_its_libraries_are_there(read_card: Callable[..., str], manifest: dict[str, Any]) -> None:
    training = {**manifest["training"], "seconds": 12.34}
    parity = {**manifest["parity"], "largest_difference": 3e-5}
    card = _join_lines(read_card(training=training, parity=parity))
    assert "python -m training train --seed 1 --epochs 40" in card
    assert "at most 40 epochs, by the schedule cosine" in card
    assert "falls along a cosine to zero" in card
    assert "It took 12.3 seconds" in card
    assert f"An ensemble of {MEMBERS} small neural networks" in card
    assert "differs from the trained network by at most 3e-05; 0.00096 is allowed" in card
    assert manifest["data_sha256"] in card
    for name, version in manifest["libraries"].items():
        assert f"{name} {version}" in card
    card = _join_lines(read_card(training={**training, "schedule": "plateau"}))
    assert "by the schedule plateau: the learning rate starts at" in card


def test_every_feature_has_its_row_with_the_range_seen(read_card: Callable[..., str], manifest: dict[str, Any]) -> None:
    card = read_card()
    for feature, seen in zip(TABLE.features, manifest["features"], strict=True):
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
    card = _join_lines(read_card(version="v1", created_at="2026-11-23T14:31:12+00:00", commit=commit))
    assert card.startswith("# Model card: v1 ")
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
    ends: tuple[float, float], verdict: str, read_card: Callable[..., str], manifest: dict[str, Any]
) -> None:
    assert judge_difference(ends).startswith(verdict)
    metrics = manifest["metrics"]
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
