"""Measures the distribution of the training rows, so that the service can detect unusual cases."""

import numpy as np

from lambda_app.model.joint import JointLimit
from training.data import Rows

# About one in a hundred usual cases gets the warning. With a lower quantile, people would learn to ignore it. A higher
# one would depend on the few most unusual rows.
QUANTILE = 0.99
# If a feature follows from others, one direction has no variance. Its standard deviation is then set to 0.01, about the
# effect of rounding. So a case that breaks such a rule is unusual; a pseudo-inverse would not notice it.
LEAST_VARIANCE = 1e-4


def measure_joint(rows: Rows) -> JointLimit:
    """Compute the Mahalanobis distance from mean and covariance of the rows, and the quantile of their distances."""
    mean, scale = rows.features.mean(axis=0), rows.features.std(axis=0)
    # A constant feature has no scale. Its range alone detects another value.
    inverse_scale = np.divide(1, scale, out=np.zeros_like(scale), where=scale > 0)
    scaled = (rows.features - mean) * inverse_scale
    variances, directions = np.linalg.eigh(scaled.T @ scaled / len(rows))
    whitening = (directions / np.sqrt(np.maximum(variances, LEAST_VARIANCE))).T * inverse_scale
    distances = np.linalg.norm((rows.features - mean) @ whitening.T, axis=1)
    return JointLimit(QUANTILE, float(np.quantile(distances, QUANTILE)), mean.tolist(), whitening.tolist())
