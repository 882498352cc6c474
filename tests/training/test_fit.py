"""Fitting: what scaler and members see, that a seed repeats, that the plateau stops by the left-out rows."""

from pathlib import Path

import numpy as np
import pytest

from lambda_app.model.tensorflow import FoldAnswers
from tests.training.conftest import QuickFit, ignore
from training.data import Rows
from training.export import write_serving_artifacts
from training.fit import LARGEST_BATCH, Ensemble, Schedule, choose_epochs, count_batches, fit_ensemble, fit_ensembles
from training.network import FOLDS, MEMBERS


def write_tflite(ensemble: Ensemble, directory: Path) -> bytes:
    directory.mkdir()
    write_serving_artifacts(directory, ensemble)
    return (directory / "model.tflite").read_bytes()


def test_same_seed_repeats_the_model_and_another_does_not(quick_fit: QuickFit, tmp_path: Path) -> None:
    (first, curves), (again, curves_again), (other, _) = quick_fit(3), quick_fit(3), quick_fit(4)
    for one, two in zip(first.network.get_weights(), again.network.get_weights(), strict=True):
        np.testing.assert_array_equal(one, two)
    np.testing.assert_array_equal(curves.left_out, curves_again.left_out)
    np.testing.assert_array_equal(first.out_of_fold, again.out_of_fold)

    content = write_tflite(first, tmp_path / "first")
    assert content == write_tflite(again, tmp_path / "again")
    assert content != write_tflite(other, tmp_path / "other")


def test_scaler_is_fitted_on_the_training_rows_alone(rows: Rows) -> None:
    some = rows.take(np.arange(100))
    [ensemble] = fit_ensembles([some], 1, epochs=1, schedule=Schedule.COSINE, report_epoch=ignore)
    np.testing.assert_allclose(ensemble.scaler.mean_, some.features.mean(axis=0), rtol=1e-12)
    np.testing.assert_allclose(ensemble.scaler.scale_, some.features.std(axis=0), rtol=1e-12)
    assert (ensemble.scaler.mean_ != rows.features.mean(axis=0)).all()


def test_out_of_fold_predictions_come_from_members_that_have_not_seen_the_row(rows: Rows) -> None:
    # One target is absurd: whoever learned from it is drawn to it, so those who know least of it left it out.
    targets = rows.targets.copy()
    targets[5] = 1e5
    [ensemble] = fit_ensembles(
        [Rows(rows.features, targets)], 1, epochs=20, schedule=Schedule.COSINE, report_epoch=ignore
    )
    _, fold_means = FoldAnswers(ensemble.network)(ensemble.scaler.transform(rows.features[5:6]))
    assert ensemble.out_of_fold[5] == pytest.approx(fold_means.min(), rel=1e-4)
    assert np.sort(fold_means[0])[1] > 2 * fold_means.min()


def test_ensembles_side_by_side_each_learn_their_own_rows(rows: Rows) -> None:
    shifted = Rows(rows.features, rows.targets + 1000)
    ensembles = fit_ensembles([rows, shifted], 1, epochs=10, schedule=Schedule.COSINE, report_epoch=ignore)
    means = [float(ensemble.predict(rows.features).mean()) for ensemble in ensembles]
    assert means == pytest.approx([rows.targets.mean(), rows.targets.mean() + 1000], abs=15)
    for ensemble, mean in zip(ensembles, means, strict=True):
        intervals = ensemble.predict_intervals(rows.features)
        assert intervals.shape == (442, 2)
        assert (intervals[:, 0] < intervals[:, 1]).all()
        assert intervals.mean() == pytest.approx(mean, abs=15)


def test_plateau_keeps_the_best_epoch_and_ends_thirty_after_it(rows: Rows) -> None:
    # With targets that have nothing to do with the features, the left-out rows soon fare worse and worse.
    noise = Rows(rows.features, np.random.default_rng(0).permutation(rows.targets))
    epochs: list[int] = []
    _, curves = fit_ensemble(noise, 1, epochs=200, schedule=Schedule.PLATEAU, report_epoch=epochs.append)
    assert epochs == list(range(1, curves.kept_epoch + 31))
    assert len(curves.learning_rates) == len(epochs)
    assert curves.learning_rates[-1] < curves.learning_rates[0]
    kept, last = curves.left_out[curves.kept_epoch - 1].mean(), curves.left_out[-1].mean()
    assert kept < last


def test_cosine_runs_every_epoch_down_to_a_rate_of_zero(quick_fit: QuickFit) -> None:
    _, curves = quick_fit(1)
    assert curves.kept_epoch == len(curves.learning_rates) == 2
    assert curves.learning_rates[-1] == pytest.approx(0, abs=1e-9)
    assert curves.learned.shape == curves.left_out.shape == (2, MEMBERS)


def test_curves_end_at_the_errors_of_the_kept_model(rows: Rows, quick_fit: QuickFit) -> None:
    ensemble, curves = quick_fit(1)
    # A fold's mean is at least as good as its members are on average, and far from perfect.
    rmse = np.sqrt(((ensemble.out_of_fold - rows.targets) ** 2).mean())
    assert 0.5 * curves.left_out[-1].mean() < rmse <= curves.left_out[-1].mean() + 1e-6
    assert len(ensemble.calibration.folds) == FOLDS
    assert sum(len(fold.scores) for fold in ensemble.calibration.folds) == len(rows)


def test_epochs_and_batches_follow_the_rows() -> None:
    assert (count_batches(442), choose_epochs(442)) == (3, 40)
    # As many steps, and no batch that the memory must hold for a large table.
    assert count_batches(4137) * choose_epochs(4137) == pytest.approx(120, abs=8)
    assert 30_000 / count_batches(30_000) <= LARGEST_BATCH
    assert choose_epochs(30_000) == 10
