"""The least that FastAPI and Mangum can do: the service's request is checked, and nothing is made of it."""

from typing import Annotated

from fastapi import FastAPI
from mangum import Mangum
from pydantic import AfterValidator, BaseModel, ConfigDict, Field


def require_sex_code(value: float) -> float:
    if value not in (1, 2):
        raise ValueError("must be 1 or 2")
    return value


class Patient(BaseModel):
    """The ten measurements with the service's bounds."""

    model_config = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False)

    age: float = Field(ge=0, le=120)
    sex: Annotated[float, AfterValidator(require_sex_code)]
    bmi: float = Field(ge=10, le=80)
    bp: float = Field(ge=30, le=200)
    s1: float = Field(ge=50, le=600)
    s2: float = Field(ge=10, le=500)
    s3: float = Field(ge=5, le=150)
    s4: float = Field(ge=1, le=30)
    s5: float = Field(ge=2, le=9)
    s6: float = Field(ge=20, le=600)


app = FastAPI()


@app.post("/predict")
async def predict(patient: Patient) -> dict[str, float]:
    return {"prediction": 0.0}


handler = Mangum(app, lifespan="off")
