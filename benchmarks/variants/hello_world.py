"""The least that FastAPI and Mangum can do: the service's request is checked, and nothing is made of it."""

from fastapi import FastAPI
from mangum import Mangum
from request_model import Case  # type: ignore[import-not-found] # the benchmark copies it beside this file

app = FastAPI()


@app.post("/predict")
async def predict(case: Case) -> dict[str, float]:
    return {"prediction": 0.0}


handler = Mangum(app, lifespan="off")
