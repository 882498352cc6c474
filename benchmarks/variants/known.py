"""The service as it is usually made: TensorFlow, the pickled scaler and boto3 in the function, a row per request.

With what costs nothing to do well: all is loaded and connected once per execution environment, outside the handler.
"""

import os
from datetime import UTC, datetime
from pathlib import Path
from tempfile import mkdtemp
from typing import Annotated
from uuid import uuid4

import boto3
import joblib
import numpy as np
import pg8000.native
import tensorflow as tf
from fastapi import FastAPI
from mangum import Mangum
from pydantic import AfterValidator, BaseModel, ConfigDict, Field

# Serving reads what it needs before the first request, while Lambda lends it a whole processor.
directory = Path(mkdtemp())
s3 = boto3.client("s3")
for name in ("tf_model.h5", "scaler.pkl"):
    s3.download_file(os.environ["MODEL_BUCKET"], os.environ["MODEL_PREFIX"] + name, str(directory / name))
model = tf.keras.models.load_model(directory / "tf_model.h5", compile=False)
scaler = joblib.load(directory / "scaler.pkl")
connection = pg8000.native.Connection(
    os.environ["DATABASE_USER"],
    host=os.environ["DATABASE_HOST"],
    port=int(os.environ["DATABASE_PORT"]),
    database=os.environ["DATABASE_NAME"],
    password=os.environ["DATABASE_PASSWORD"],
)


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


class Prediction(BaseModel):
    """The answer, which is in the table."""

    request_id: str
    timestamp: datetime
    prediction: float


app = FastAPI()


@app.post("/predict")
async def predict(patient: Patient) -> Prediction:
    features = patient.model_dump()
    rows = scaler.transform(np.array([list(features.values())]))
    prediction = float(model.predict(rows, verbose=0)[0, 0])
    answer = Prediction(request_id=str(uuid4()), timestamp=datetime.now(UTC), prediction=prediction)
    # Commits by itself: it is not between BEGIN and COMMIT.
    connection.run(
        "INSERT INTO known_predictions (request_id, created_at, age, sex, bmi, bp, s1, s2, s3, s4, s5, s6, prediction)"
        " VALUES (:request_id, :timestamp, :age, :sex, :bmi, :bp, :s1, :s2, :s3, :s4, :s5, :s6, :prediction)",
        **features,
        **answer.model_dump(),
    )
    return answer


handler = Mangum(app, lifespan="off")
