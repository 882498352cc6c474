"""Fitting: the rows that scaler and members see, the two schedules, the seed."""

import numpy as np
import pytest

from lambda_app.model.tensorflow import FoldAnswers
from tests.training.conftest import ignore
from training.data import Rows
from training.fit import (
    LARGEST_BATCH,
    Curves,
    Ensemble,
    Schedule,
    choose_epochs,
    count_batches,
    fit_ensemble,
    fit_ensembles,
)
from training.network import FOLDS, MEMBERS


def test_scaler_is_fitted_on_the_training_rows_alone(rows: Rows) -> None:
    some = rows.take(np.arange(100))
    [ensemble] = fit_ensembles([some], 1, epochs=1, schedule=Schedule.COSINE, report_epoch=ignore)
    np.testing.assert_allclose(ensemble.scaler.mean_, some.features.mean(axis=0), rtol=1e-12)
    np.testing.assert_allclose(ensemble.scaler.scale_, some.features.std(axis=0), rtol=1e-12)
    assert (ensemble.scaler.mean_ != rows.features.mean(axis=0)).all()


def test_out_of_fold_predictions_come_from_members_that_have_not_seen_the_row(rows: Rows) -> None:
    # Members that learned from the one absurd target are drawn to it. The others left it out.
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
    some = rows.take(np.arange(150))
    noise = Rows(some.features, np.random.default_rng(0).permutation(some.targets))
    epochs: list[int] = []
    _, curves = fit_ensemble(noise, 1, epochs=200, schedule=Schedule.PLATEAU, report_epoch=epochs.append)
    assert epochs == list(range(1, curves.kept_epoch + 31))
    assert len(curves.learning_rates) == len(epochs)
    assert curves.learning_rates[-1] < curves.learning_rates[0]
    kept, last = curves.left_out[curves.kept_epoch - 1].mean(), curves.left_out[-1].mean()
    assert kept < last


def test_cosine_runs_every_epoch_and_ends_at_a_rate_of_zero(rows: Rows, quick: tuple[Ensemble, Curves]) -> None:
    ensemble, curves = quick
    assert curves.kept_epoch == len(curves.learning_rates) == 2
    assert curves.learning_rates[-1] == pytest.approx(0, abs=1e-9)
    assert curves.learned.shape == curves.left_out.shape == (2, MEMBERS)
    # The curves end at the errors of the kept model: a fold's mean is at least as good as its members on average.
    rmse = np.sqrt(((ensemble.out_of_fold - rows.targets) ** 2).mean())
    assert 0.5 * curves.left_out[-1].mean() < rmse <= curves.left_out[-1].mean() + 1e-6
    assert len(ensemble.calibration.folds) == FOLDS
    assert sum(len(fold.scores) for fold in ensemble.calibration.folds) == len(rows)


def test_another_seed_makes_another_model(rows: Rows, quick: tuple[Ensemble, Curves]) -> None:
    other, _ = fit_ensemble(rows, 2, epochs=1, schedule=Schedule.COSINE, report_epoch=ignore)
    assert (other.network.get_weights()[-1] != quick[0].network.get_weights()[-1]).any()


def test_epochs_and_batches_follow_the_rows() -> None:
    assert (count_batches(442), choose_epochs(442)) == (3, 40)
    # As many steps, and no batch that the memory must hold for a large table.
    assert count_batches(4137) * choose_epochs(4137) == pytest.approx(120, abs=8)
    assert 30_000 / count_batches(30_000) <= LARGEST_BATCH
    assert choose_epochs(30_000) == 10
