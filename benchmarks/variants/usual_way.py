"""The service as it is usually made: TensorFlow, the pickled scaler and boto3 in the function, a row per request.

With what costs nothing to do well: all is loaded and connected once per execution environment, outside the handler.
"""

import os
from datetime import UTC, datetime
from pathlib import Path
from tempfile import mkdtemp
from uuid import uuid4

import boto3
import joblib
import numpy as np
import pg8000.native
import tensorflow as tf
from fastapi import FastAPI
from mangum import Mangum
from pydantic import BaseModel
from request_model import Case, names  # type: ignore[import-not-found] # the benchmark copies it beside this file

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


INSERT = (
    f"INSERT INTO known_predictions (request_id, created_at, {', '.join(names)}, prediction)"  # noqa: S608 # the names of the table's features
    f" VALUES (:request_id, :timestamp, {', '.join(f':{name}' for name in names)}, :prediction)"
)


class Prediction(BaseModel):
    """The answer, which is in the table."""

    request_id: str
    timestamp: datetime
    prediction: float


app = FastAPI()


@app.post("/predict")
async def predict(case: Case) -> Prediction:
    values = case.model_dump()
    rows = scaler.transform(np.array([list(values.values())]))
    prediction = float(model.predict(rows, verbose=0)[0, 0])
    answer = Prediction(request_id=str(uuid4()), timestamp=datetime.now(UTC), prediction=prediction)
    # Commits by itself: it is not between BEGIN and COMMIT.
    connection.run(INSERT, **values, **answer.model_dump())
    return answer


handler = Mangum(app, lifespan="off")
