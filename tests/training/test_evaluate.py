"""The comparison: the model against baselines, its figures, table, plot and JSON."""

import io
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rich.console import Console

from tests.training.conftest import ignore
from training import DEFAULT_EPOCHS, DEFAULT_SEED
from training.baselines import BASELINES, build_gaussian_process, choose_baselines
from training.data import Rows
from training.evaluate import Comparison, Fold, compare_models, describe_comparison, draw_folds
from training.fit import Schedule
from training.report import draw_comparison, print_report, write_report
from training.validate import build_ridge


@pytest.fixture(scope="module")
def figures(rows: Rows) -> dict[str, Any]:
    """Compare the whole training on five of the fifteen folds with the linear and the best baseline."""

    @contextmanager
    def show_nothing(title: str, step: str, total: int) -> Iterator[Any]:
        yield ignore

    comparison = compare_models(
        rows,
        draw_folds(rows)[:5],
        {"ridge": build_ridge, "gaussian process": build_gaussian_process},
        seed=DEFAULT_SEED,
        epochs=DEFAULT_EPOCHS,
        schedule=Schedule.COSINE,
        show_progress=show_nothing,
    )
    return describe_comparison(comparison)


def test_ensemble_is_better_than_ridge_and_the_best_baseline(figures: dict[str, Any]) -> None:
    models = figures["models"]
    assert models["ensemble"]["rmse"] <= 53.9
    assert models["ensemble"]["rmse"] < models["gaussian process"]["rmse"] < models["ridge"]["rmse"] < 55
    assert models["ensemble"]["r2"] > 0.5


def test_intervals_keep_their_promise_and_are_narrower_than_a_constant_width(figures: dict[str, Any]) -> None:
    intervals = figures["intervals"]
    assert intervals["nominal"] == 0.9
    assert intervals["coverage"] == pytest.approx(0.9, abs=0.03)
    assert intervals["coverage_by_third"] == pytest.approx([0.9] * 3, abs=0.06)
    assert intervals["mean_width"] < 0.95 * intervals["constant_width"]
    assert intervals["constant_coverage"] == pytest.approx(0.9, abs=0.03)


def make_comparison(own: list[float], other: list[float]) -> Comparison:
    """Return a comparison over five folds of one hundred rows, with the given error of each model in each fold."""
    folds: list[Fold] = [(np.arange(80), np.arange(80, 100))] * 5
    actual = [np.linspace(0, 200, 20)] * 5
    return Comparison(
        folds=folds,
        actual=actual,
        predicted={
            "ensemble": [truth + error for truth, error in zip(actual, own, strict=True)],
            "other": [truth + error for truth, error in zip(actual, other, strict=True)],
        },
        intervals=[np.column_stack([truth - 1, truth + 3]) for truth in actual],
        constant_margins=[4.0] * 5,
    )


def test_differences_are_paired_by_fold_and_corrected_for_shared_rows() -> None:
    comparison = make_comparison(own=[1, 2, 3, 4, 5], other=[2, 2, 4, 6, 6])
    figures = describe_comparison(comparison)
    models, difference = figures["models"], figures["models"]["other"]["less_ensemble"]["rmse"]
    assert models["ensemble"]["rmse"] == pytest.approx(np.sqrt(55 / 5))
    assert models["other"]["mae"] == pytest.approx(4)
    assert difference["mean"] == pytest.approx(1)
    # Standard deviation of 1, 0, 1, 2, 1 times the root of 1/5 + 20/80, times Student's t for four degrees of freedom.
    reach = np.sqrt(0.5) * np.sqrt(0.45) * 2.7764
    assert [difference["lower"], difference["upper"]] == pytest.approx([1 - reach, 1 + reach], rel=1e-4)
    assert figures["intervals"]["mean_width"] == pytest.approx(4)
    assert figures["intervals"]["constant_width"] == pytest.approx(8)
    # The ensemble is off by more than the margin in one fold of five.
    assert figures["intervals"]["constant_coverage"] == pytest.approx(0.8)


def test_folds_are_those_that_were_announced(rows: Rows) -> None:
    folds = draw_folds(rows)
    assert len(folds) == 15
    for repeat in range(3):
        held_out = np.concatenate([positions for _, positions in folds[5 * repeat : 5 * repeat + 5]])
        assert sorted(held_out) == list(range(442))
    assert folds[0][1][:5].tolist() == [1, 6, 10, 12, 15]


@pytest.mark.parametrize("name", [name for name in BASELINES if name not in {"svr", "random forest"}])
def test_baseline_is_far_better_than_the_mean(rows: Rows, name: str) -> None:
    training, held_out = draw_folds(rows)[0]
    model = BASELINES[name]().fit(rows.features[training], rows.targets[training])
    errors = model.predict(rows.features[held_out]) - rows.targets[held_out]
    assert errors.shape == (89,)
    assert (errors**2).mean() < 0.75 * rows.targets[held_out].var()


def test_report_shows_every_model_best_first(tmp_path: Path) -> None:
    figures = describe_comparison(make_comparison(own=[1, 2, 3, 4, 5], other=[2, 2, 4, 6, 6]))
    write_report(tmp_path, figures)
    assert json.loads((tmp_path / "evaluation.json").read_bytes()) == figures
    assert (tmp_path / "evaluation.png").read_bytes().startswith(b"\x89PNG")

    output = io.StringIO()
    print_report(Console(file=output, width=140), figures)
    text = output.getvalue()
    assert text.index("ensemble") < text.index("other")
    assert "+1.000 (-0.317 to +2.317)" in text
    assert "constant width" in text

    figure = draw_comparison(figures)
    [axes] = figure.axes
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["May be chance"]
    assert [label.get_text() for label in axes.get_yticklabels()] == ["other  4.382"]
    interval, mean, zero = axes.get_lines()
    difference = figures["models"]["other"]["less_ensemble"]["rmse"]
    assert list(np.asarray(interval.get_xdata())) == [difference["lower"], difference["upper"]]
    assert list(np.asarray(mean.get_xdata())) == [difference["mean"]]
    assert list(np.asarray(zero.get_xdata())) == [0, 0]


def test_baselines_that_cannot_cope_with_the_rows_are_left_out() -> None:
    assert choose_baselines(354) == BASELINES
    assert BASELINES.keys() - choose_baselines(3310).keys() == {"svr", "gaussian process"}
    assert set(choose_baselines(24_000)) == {"ridge", "lasso", "elastic net", "second-order lasso"}
