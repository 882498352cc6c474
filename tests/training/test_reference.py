"""The reference in the manifest: bins of nearly equal counts, every case in one of them, and no row."""

import itertools

import numpy as np
import pytest

from lambda_app.monitor.reference import parse_references
from lambda_app.table import Kind
from problem.table import TABLE
from training.data import Rows
from training.reference import describe_numbers, describe_reference
from training.validate import Validation


def test_every_case_is_in_a_bin_of_each_column(rows: Rows, validation: Validation) -> None:
    reference = describe_reference(rows, validation.predicted)
    references = parse_references(reference)
    assert [one.name for one in references] == [*TABLE.names, "prediction"]
    for one, values in zip(references, [*rows.features.T, validation.predicted], strict=True):
        assert sum(one.counts) == len(rows)
        if one.has_values:
            assert one.counts == [int((values == code).sum()) for code in one.marks]
            continue
        ends = itertools.pairwise([-np.inf, *one.marks, np.inf])
        assert one.counts == [int(((lower <= values) & (values < upper)).sum()) for lower, upper in ends]
        assert min(one.counts) > 0
    assert {one.name for one in references if one.has_values} == {
        feature.name for feature in TABLE.features if feature.kind is Kind.CHOICES
    }


@pytest.mark.parametrize(
    ("values", "edges", "counts"),
    [
        (np.arange(100.0), [*np.arange(10.0, 100, 10)], [10] * 10),
        (np.zeros(7), [], [7]),
        (np.array([0.0, 0, 0, 0, 0, 0, 0, 0, 0, 5]), [5.0], [9, 1]),
        (np.array([1.0, 1, 2, 2, 2, 3]), [2.0, 3], [2, 3, 1]),
    ],
)
def test_edges_are_distinct_and_no_bin_is_empty(values: np.ndarray, edges: list[float], counts: list[int]) -> None:
    assert describe_numbers(values) == {"edges": edges, "counts": counts}
