"""The description of a table: what it says of a faulty one, and what a feature accepts."""

import dataclasses
import math
from typing import Any

import pytest

from lambda_app.table import RECORD_NAMES, Feature, Relation, Table, Target, choices, integer, real
from problem.table import TABLE

ROOMS = integer("rooms", "Rooms", "", 1, 20, example=5)
AREA = real("area", "Living area", "m²", 10, 1000, example=120.5)
HEATING = choices("heating", "Heating", {1: "Gas", 2: "Oil", 5: "None"}, example=5)
PRICE = Target("price", "Price", "EUR", 0, 9e6, example=250_000)
NO_NAMES = ("Area", "größe", "1st", "a b", "a;--", "_x", "")


def make_table(**changed: Any) -> Table:
    parts = {"case": "house", "cases": "houses", "features": (ROOMS, AREA, HEATING), "target": PRICE, "relations": ()}
    return dataclasses.replace(TABLE, **{**parts, **changed})


def rename(name: str) -> dict[str, Any]:
    return {"features": (ROOMS, dataclasses.replace(AREA, name=name))}


def test_sound_table_is_taken() -> None:
    table = make_table(relations=(Relation("area", "is small", lambda house: house["area"] > 10 * house["rooms"]),))
    assert table.names == ("rooms", "area", "heating")
    assert table.example == {"rooms": 5, "area": 120.5, "heating": 5}


@pytest.mark.parametrize(
    ("changed", "fault"),
    [
        ({"features": ()}, "there are no features"),
        ({"features": (ROOMS, AREA, ROOMS)}, "the feature rooms is there more than once"),
        *((rename(name), f"the feature {name!r} is not a name of small letters") for name in NO_NAMES),
        (rename("a" * 64), "is longer than 63 characters"),
        *((rename(name), f"the feature {name!r} is a word of SQL") for name in ("order", "user", "end")),
        *((rename(name), f"the feature {name!r} is the name of something else") for name in sorted(RECORD_NAMES)),
        *((rename(name), f"{name} is the name of a feature and of something else") for name in ("price", "houses")),
        ({"features": (dataclasses.replace(ROOMS, example=5.5),)}, "must have an example that is a whole number"),
        ({"features": (dataclasses.replace(AREA, example=1001),)}, "must have an example that is a number from 10 to"),
        ({"features": (dataclasses.replace(HEATING, example=3),)}, "must have an example that is 1, 2 or 5"),
        ({"features": (dataclasses.replace(AREA, minimum=1000),)}, "'area' needs limits that are finite, the lower"),
        ({"features": (dataclasses.replace(AREA, maximum=float("inf")),)}, "needs limits that are finite, the lower"),
        ({"features": (choices("heating", "Heating", {1: "Gas"}, example=1),)}, "needs two choices or more"),
        ({"features": (choices("heating", "Heating", {}, example=1),)}, "needs two choices or more"),
        ({"target": dataclasses.replace(PRICE, name="Price")}, "the target 'Price' is not a name"),
        ({"target": dataclasses.replace(PRICE, minimum=9e6)}, "the target 'price' needs bounds in order"),
        ({"target": dataclasses.replace(PRICE, example=-1)}, "must have an example within its bounds"),
        ({"cases": "light bulbs"}, "cases 'light bulbs' is not a name"),
        ({"relations": (Relation("floors", "is odd", lambda _: True),)}, "'floors', which is no feature"),
        ({"relations": (Relation("area", "is odd", lambda _: False),)}, "the examples break the relation of area"),
    ],
)
def test_faulty_table_is_refused_with_what_is_wrong(changed: dict[str, Any], fault: str) -> None:
    with pytest.raises(ValueError, match=r"^problem/table\.py: ") as caught:
        make_table(**changed)
    assert fault in str(caught.value)


def test_all_faults_are_listed() -> None:
    with pytest.raises(ValueError, match=r"Area.*example.*houses 2"):
        make_table(features=(dataclasses.replace(AREA, name="Area", example=0),), cases="houses 2")


@pytest.mark.parametrize(
    ("feature", "limits", "accepted", "refused"),
    [
        (ROOMS, "a whole number from 1 to 20", [1, 20.0], [0, 1.5, 21, float("nan")]),
        (AREA, "a number from 10 to 1000 (m²)", [10, 999.9], [9.99, 1000.1, float("nan")]),
        (HEATING, "1, 2 or 5", [1, 2.0, 5], [3, 1.5, 0, float("nan")]),
    ],
)
def test_limits_say_what_is_accepted(
    feature: Feature, limits: str, accepted: list[float], refused: list[float]
) -> None:
    assert feature.limits == limits
    assert all(map(feature.accepts, accepted))
    assert not any(map(feature.accepts, refused))


def test_a_target_is_cut_at_its_bounds() -> None:
    assert [PRICE.cut(value) for value in (-125.0, -0.0, 151.0, 1e9)] == [0, 0, 151, 9e6]
    assert dataclasses.replace(PRICE, minimum=None, maximum=None).cut(-125.0) == -125
    assert math.isnan(PRICE.cut(math.nan))
