"""Spreads the training cases over bins, for the comparison with new cases: counts, never a row."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from lambda_app.table import Feature, Kind
from problem.table import TABLE
from training.data import Rows

BINS = 10


def describe_reference(rows: Rows, predicted: NDArray[np.float64]) -> dict[str, Any]:
    """Return the bins of the manifest; `predicted`, (n,), are predictions for rows that were held out."""
    columns = zip(TABLE.features, rows.features.T, strict=True)
    return {
        "features": {feature.name: _describe_feature(feature, values) for feature, values in columns},
        "prediction": describe_numbers(predicted),
    }


def describe_numbers(values: NDArray[np.float64]) -> dict[str, Any]:
    """Count numbers, (n,), in bins of nearly equal counts.

    There are only the edges between bins: the outer bins are open. A value on an edge belongs to the bin above it.
    """
    edges = np.unique(np.quantile(values, np.arange(1, BINS) / BINS, method="higher"))
    # Below the smallest value there would be an empty bin.
    edges = edges[edges > values.min()]
    counts = np.bincount(np.searchsorted(edges, values, side="right"), minlength=len(edges) + 1)
    return {"edges": edges.tolist(), "counts": counts.tolist()}


def _describe_feature(feature: Feature, values: NDArray[np.float64]) -> dict[str, Any]:
    if feature.kind is not Kind.CHOICES:
        return describe_numbers(values)
    codes = sorted(feature.choices)
    return {"values": codes, "counts": [int((values == code).sum()) for code in codes]}
