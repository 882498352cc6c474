"""The network as it is served: the same answers as the trained one's, by fewer steps."""

import numpy as np

from lambda_app.model.tensorflow import FoldAnswers
from training.merge import merge_network
from training.network import FOLDS, MEMBERS, build_ensemble, build_members


def test_answers_are_those_of_the_trained_network_and_its_folds() -> None:
    generator = np.random.default_rng(0)
    # Weights and running statistics all different, as none are when Keras has just made them.
    members = build_members(MEMBERS)
    weights = [generator.uniform(-1.5, 1.5, each.shape).astype(np.float32) for each in members.get_weights()]
    for position, each in enumerate(members.weights):
        if each.path.endswith("variance"):
            weights[position] = np.abs(weights[position])
    fractions = generator.normal(size=(10, 10))
    network = build_ensemble(fractions, 152.1, 77.0, weights)
    scaled = generator.normal(size=(100, 10))

    progression, folds = merge_network(network)(scaled.astype(np.float32))

    expected, expected_folds = FoldAnswers(network)(scaled)
    assert expected_folds.shape == (100, FOLDS)
    # The folds differ, and so do the rows: a mean in the place of either would be found out.
    assert expected_folds.std(axis=1).min() > 1
    assert expected.std() > 10
    np.testing.assert_allclose(folds, expected_folds, rtol=1e-5, atol=0.05)
    np.testing.assert_allclose(np.ravel(progression), expected, rtol=1e-5, atol=0.05)
