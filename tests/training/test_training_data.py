"""The data: its contract with the service, its digest."""

import numpy as np
import pytest

from problem import rows as source
from problem.table import TABLE
from training.data import Rows, digest_rows, load_rows
from training.errors import DataError


def test_holds_every_patient_in_real_units(rows: Rows) -> None:
    assert rows.features.shape == (442, 10)
    assert rows.targets.shape == (442,)
    assert rows.features[0].tolist() == [feature.example for feature in TABLE.features]
    assert rows.targets[0] == 151


def test_refuses_columns_that_the_service_has_otherwise(monkeypatch: pytest.MonkeyPatch) -> None:
    names, features, targets = source.load_rows()
    monkeypatch.setattr(source, "load_rows", lambda: (names[::-1], features, targets))
    with pytest.raises(DataError, match="the rows have the columns"):
        load_rows()


def test_digest_is_that_of_the_published_data_whatever_the_memory_layout(rows: Rows) -> None:
    expected = "e9c1f7559552854a24dc45b41c446ce5f79f96e5da081bcce24b57492720b3f7"
    assert digest_rows(rows) == expected
    assert digest_rows(Rows(np.asfortranarray(rows.features), rows.targets.astype(">f8"))) == expected
