"""The network: members independent of each other, and an input map that loses nothing."""

import keras
import numpy as np
import pytest
from sklearn.preprocessing import StandardScaler

from lambda_app.model.tensorflow import FoldAnswers
from problem.inputs import RATIO_SHARE, find_input_map
from training.data import Rows
from training.network import (
    FOLDS,
    MEMBERS,
    MEMBERS_PER_FOLD,
    assign_members,
    build_ensemble,
    build_members,
    cut_members,
)


@pytest.fixture
def members() -> keras.Model:
    """Two ensembles' members, their weights and running statistics all different."""
    network = build_members(2 * MEMBERS)
    generator = np.random.default_rng(0)
    network.set_weights(
        [generator.uniform(0.5, 1.5, weights.shape).astype(np.float32) for weights in network.get_weights()]
    )
    return network


def test_a_member_sees_nothing_of_the_others(members: keras.Model) -> None:
    inputs = np.random.default_rng(1).normal(size=(5, 2 * MEMBERS, 10)).astype(np.float32)
    before = members(inputs, training=False).numpy()
    inputs[:, 7] += 1
    after = members(inputs, training=False).numpy()
    changed = np.flatnonzero((before != after).any(axis=0))
    assert changed.tolist() == [7]


def test_ensemble_answers_with_the_mean_of_its_own_members(members: keras.Model) -> None:
    generator = np.random.default_rng(2)
    scaled = generator.normal(size=(6, 10))
    fractions = generator.normal(size=(10, 10))
    weights = cut_members(members.get_weights(), 2, 1)
    ensemble = build_ensemble(fractions, 152.0, 77.0, weights)
    mean, folds = FoldAnswers(ensemble)(scaled)

    inputs = np.repeat((scaled @ fractions)[:, np.newaxis], 2 * MEMBERS, axis=1).astype(np.float32)
    by_member = 152 + 77 * members(inputs, training=False).numpy()[:, MEMBERS:]
    np.testing.assert_allclose(mean, by_member.mean(axis=1), rtol=1e-5)
    for fold in range(FOLDS):
        np.testing.assert_allclose(folds[:, fold], by_member[:, assign_members() == fold].mean(axis=1), rtol=1e-5)
    assert ensemble.input_shape == (None, 10)
    assert ensemble.output_shape == (None, 1)


def test_as_many_members_leave_out_each_fold() -> None:
    assert np.bincount(assign_members()).tolist() == [MEMBERS_PER_FOLD] * FOLDS


def test_lipid_fractions_put_standardised_vldl_in_the_place_of_total_cholesterol(rows: Rows) -> None:
    scaler = StandardScaler().fit(rows.features)
    scaled = scaler.transform(rows.features)
    fractions = find_input_map(scaler.scale_, scaled)
    answered = scaled @ fractions

    total, ldl, hdl = rows.features[:, 4:7].T
    vldl = total - ldl - hdl
    np.testing.assert_allclose(answered[:, 4], (vldl - vldl.mean()) / vldl.std(), atol=1e-9)
    np.testing.assert_allclose(answered[:, 7], RATIO_SHARE * scaled[:, 7])
    others = [position for position in range(10) if position not in {4, 7}]
    np.testing.assert_array_equal(answered[:, others], scaled[:, others])
    np.testing.assert_allclose(answered @ np.linalg.inv(fractions), scaled, atol=1e-9)
