"""Measures how the training rows lie together, so that the service can tell which case is unlike them."""

import numpy as np

from lambda_app.model.joint import JointLimit
from training.data import Rows

# About one in a hundred cases like the training's gets the warning. Nearer in, the warning would be noise that people
# learn to pass over; further out, the limit would hang on the few strangest rows.
QUANTILE = 0.99
# Where one feature follows from others there is a direction without variance, and nothing to divide by. It counts as if
# it had a hundredth of a standard deviation, which is what rounding leaves: a case that breaks such a rule is like no
# other, and a pseudo-inverse would not see it.
LEAST_VARIANCE = 1e-4


def measure_joint(rows: Rows) -> JointLimit:
    """The Mahalanobis distance by mean and covariance of the rows, and the quantile of their own distances."""
    mean, scale = rows.features.mean(axis=0), rows.features.std(axis=0)
    # A feature that is the same in all rows has no scale, and its range alone tells which case has another.
    inverse_scale = np.divide(1, scale, out=np.zeros_like(scale), where=scale > 0)
    scaled = (rows.features - mean) * inverse_scale
    variances, directions = np.linalg.eigh(scaled.T @ scaled / len(rows))
    whitening = (directions / np.sqrt(np.maximum(variances, LEAST_VARIANCE))).T * inverse_scale
    distances = np.linalg.norm((rows.features - mean) @ whitening.T, axis=1)
    return JointLimit(QUANTILE, float(np.quantile(distances, QUANTILE)), mean.tolist(), whitening.tolist())
