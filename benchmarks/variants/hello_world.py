"""The least that FastAPI and Mangum can do: the service's request is checked, and nothing is made of it."""

import json
from pathlib import Path
from typing import Annotated, Any

from fastapi import FastAPI
from mangum import Mangum
from pydantic import AfterValidator, ConfigDict, Field, create_model


def make_field(feature: dict[str, Any]) -> Any:
    def require_choice(value: float) -> float:
        if value not in feature["choices"]:
            raise ValueError(f"must be one of {feature['choices']}")
        return value

    check = AfterValidator(require_choice) if feature["choices"] else Field(**feature["limits"])
    return Annotated[float, check], ...


# The benchmark writes the names and limits of the service's features beside this file.
features = json.loads(Path(__file__).with_name("features.json").read_bytes())
Case = create_model(
    "Case",
    __config__=ConfigDict(extra="forbid", strict=True, allow_inf_nan=False),
    **{feature["name"]: make_field(feature) for feature in features},
)


app = FastAPI()


@app.post("/predict")
async def predict(case: Case) -> dict[str, float]:  # type: ignore[valid-type] # it is made above
    return {"prediction": 0.0}


handler = Mangum(app, lifespan="off")
