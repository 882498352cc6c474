"""The request of the functions beside the service: the features of the table, with their limits or choices."""

import json
from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator, ConfigDict, Field, create_model


def make_field(feature: dict[str, Any]) -> Any:
    """A field's type and default for pydantic's `create_model`: required, and checked."""

    def require_choice(value: float) -> float:
        if value not in feature["choices"]:
            raise ValueError(f"must be one of {feature['choices']}")
        return value

    check = AfterValidator(require_choice) if feature["choices"] else Field(**feature["limits"])
    return Annotated[float, check], ...


# The benchmark writes the names and limits of the service's features beside this file.
features = json.loads(Path(__file__).with_name("features.json").read_bytes())
names = [feature["name"] for feature in features]
Case = create_model(
    "Case",
    __config__=ConfigDict(extra="forbid", strict=True, allow_inf_nan=False),
    **{feature["name"]: make_field(feature) for feature in features},
)
