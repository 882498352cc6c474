"""Validation errors name every field with its limit, and never its value."""

import pytest
from pydantic import BaseModel, ValidationError

from lambda_app.http.problems import MAX_UNKNOWN_FIELDS, list_field_errors
from lambda_app.http.schemas import EXAMPLE_REQUEST, PredictionRequest
from lambda_app.table import Feature
from problem.table import TABLE


def refuse(body: dict[str, object]) -> list[dict[str, str]]:
    """The listed errors of a body that must be refused, as FastAPI would report them."""
    model: type[BaseModel] = PredictionRequest
    with pytest.raises(ValidationError) as caught:
        model.model_validate(body)
    return list_field_errors({**error, "loc": ("body", *error["loc"])} for error in caught.value.errors())


@pytest.mark.parametrize("feature", TABLE.features, ids=lambda feature: feature.name)
@pytest.mark.parametrize("value", [float("nan"), float("inf"), True, "1", None, [1], {}, -1, 10**400])
def test_every_feature_refuses_what_is_not_a_number_in_range(feature: Feature, value: object) -> None:
    name = feature.name
    [error] = refuse({**EXAMPLE_REQUEST, name: value})
    assert error == {"field": name, "message": f"must be {feature.limits}"}


@pytest.mark.parametrize("feature", TABLE.features, ids=lambda feature: feature.name)
def test_limits_are_inclusive(feature: Feature) -> None:
    for bound in (feature.minimum, feature.maximum):
        PredictionRequest.model_validate({**EXAMPLE_REQUEST, feature.name: bound})
    for beyond in (feature.minimum - 1e-9, feature.maximum + 1e-9):
        assert refuse({**EXAMPLE_REQUEST, feature.name: beyond})


def test_unknown_fields_are_cut_in_number_and_length() -> None:
    unknown = {f"{index}{'x' * 100}": 1 for index in range(MAX_UNKNOWN_FIELDS + 5)}
    errors = refuse({**EXAMPLE_REQUEST, **unknown})
    assert len(errors) == MAX_UNKNOWN_FIELDS + 1
    assert all(len(error["field"]) <= 64 for error in errors)
    assert errors[-1] == {"field": "body", "message": "has 5 more unknown fields"}
